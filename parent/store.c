#include "parent/store.h"

void store_put_close(struct store_put **p)
{
    if (*p) (*p)->close(*p);
    *p = NULL;
}

void store_get_close(struct store_get **g)
{
    if (*g) (*g)->close(*g);
    *g = NULL;
}

void store_backend_close(struct store_backend **s)
{
    if (*s) (*s)->close(*s);
    *s = NULL;
}
