/* store_memory.c - the store as a list in memory: for tests and the fuzzer. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "parent/store.h"

struct item { struct item *next; char name[LINK_NAME_MAX + 1]; uint8_t *bytes; size_t size; };
struct memory_store { struct store_backend base; struct item *items; size_t room; uint8_t head[LINK_HEAD_MAX]; size_t head_len; };
struct memory_put { struct store_put base; struct memory_store *store; struct item *item; };
struct memory_get { struct store_get base; const struct item *item; size_t at; };

static void item_free(struct item *i)
{
    if (i) free(i->bytes);
    free(i);
}

static struct item *find(const struct memory_store *s, const char *name)
{
    struct item *i = s->items;
    while (i && strcmp(i->name, name) != 0) i = i->next;
    return i;
}

static err put_write(struct store_put *base, const void *p, size_t n)
{
    struct memory_put *put = (struct memory_put *)base;
    if (n > put->store->room) FAIL(E_IO, "the store in memory is full");
    uint8_t *more = realloc(put->item->bytes, put->item->size + n + 1);
    if (!more) FAIL(E_MEMORY, "an object");
    put->item->bytes = more;
    memcpy(more + put->item->size, p, n);
    put->item->size += n;
    put->store->room -= n;
    return OK;
}

static err put_commit(struct store_put *base)
{
    struct memory_put *put = (struct memory_put *)base;
    if (find(put->store, put->item->name)) FAIL(E_STATE, "an object named %s exists already", put->item->name);
    put->item->next = put->store->items;
    put->store->items = put->item;
    put->item = NULL;
    return OK;
}

static void put_close(struct store_put *base)
{
    struct memory_put *put = (struct memory_put *)base;
    if (put->item) put->store->room += put->item->size;
    item_free(put->item);
    free(put);
}

static err memory_put_open(struct store_backend *base, struct store_put **out, const char *name)
{
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    struct memory_put *put = calloc(1, sizeof *put);
    struct item *item = calloc(1, sizeof *item);
    if (!put || !item) {
        free(put);
        free(item);
        FAIL(E_MEMORY, "an object's writer");
    }
    strcpy(item->name, name);
    *put = (struct memory_put){ { put_write, put_commit, put_close }, (struct memory_store *)base, item };
    *out = &put->base;
    return OK;
}

static err get_read(struct store_get *base, void *p, size_t *n, size_t cap)
{
    struct memory_get *get = (struct memory_get *)base;
    size_t left = get->item->size - get->at;
    *n = left < cap ? left : cap;
    if (*n > 0) memcpy(p, get->item->bytes + get->at, *n);
    get->at += *n;
    return OK;
}

static void get_close(struct store_get *base)
{
    free(base);
}

static err memory_get_open(struct store_backend *base, struct store_get **out, const char *name)
{
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    const struct item *item = find((struct memory_store *)base, name);
    if (!item) FAIL(E_ABSENT, "the store has no object %s", name);
    struct memory_get *get = calloc(1, sizeof *get);
    if (!get) FAIL(E_MEMORY, "an object's reader");
    *get = (struct memory_get){ { item->size, get_read, get_close }, item, 0 };
    *out = &get->base;
    return OK;
}

static err memory_head_get(struct store_backend *base, uint8_t out[static LINK_HEAD_MAX], size_t *n)
{
    const struct memory_store *s = (const struct memory_store *)base;
    memcpy(out, s->head, s->head_len);
    *n = s->head_len;
    return OK;
}

static err head_is(const struct memory_store *s, const void *expected, size_t n)
{
    if (s->head_len != n || (n > 0 && memcmp(s->head, expected, n) != 0))
        FAIL(E_STATE, "the store's head is not the one that was expected");
    return OK;
}

static err memory_head_put(struct store_backend *base, const void *expected, size_t expected_len,
                           const void *next, size_t next_len)
{
    struct memory_store *s = (struct memory_store *)base;
    if (next_len == 0 || next_len > LINK_HEAD_MAX) FAIL(E_FORMAT, "a head of %zu bytes", next_len);
    TRY(head_is(s, expected, expected_len));
    memcpy(s->head, next, next_len);
    s->head_len = next_len;
    return OK;
}

static err memory_list(struct store_backend *base, err (*each)(void *, const struct store_entry *), void *self)
{
    for (const struct item *i = ((struct memory_store *)base)->items; i; i = i->next)
        TRY(each(self, &(struct store_entry){ i->name, i->size, 0 }));
    return OK;
}

static err memory_remove(struct store_backend *base, size_t *removed, const void *head, size_t head_len,
                         const char *const *names, size_t count)
{
    struct memory_store *s = (struct memory_store *)base;
    *removed = 0;
    TRY(head_is(s, head, head_len));
    for (size_t i = 0; i < count; i++)
        for (struct item **at = &s->items; *at; at = &(*at)->next) {
            struct item *item = *at;
            if (strcmp(item->name, names[i]) != 0) continue;
            *at = item->next;
            s->room += item->size;
            item_free(item);
            ++*removed;
            break;
        }
    return OK;
}

static void memory_close(struct store_backend *base)
{
    struct memory_store *s = (struct memory_store *)base;
    while (s->items) {
        struct item *next = s->items->next;
        item_free(s->items);
        s->items = next;
    }
    free(s);
}

err store_backend_memory(struct store_backend **out, size_t limit)
{
    *out = NULL;
    struct memory_store *s = calloc(1, sizeof *s);
    if (!s) FAIL(E_MEMORY, "a store");
    s->base = (struct store_backend){ memory_put_open, memory_get_open, memory_head_get, memory_head_put,
                                      memory_list, memory_remove, memory_close };
    s->room = limit;
    *out = &s->base;
    return OK;
}
