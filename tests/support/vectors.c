/* vectors.c - see vectors.h. */
#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"

static void give_up(const char *what, const char *name) __attribute__((noreturn));
static void give_up(const char *what, const char *name)
{
    fprintf(stderr, "test support: %s: %s\n", what, name);
    exit(99);
}

void skip_all(const char *why)
{
    printf("SKIP: %s\n", why);
    exit(77);
}

char *vectors_path(const char *name)
{
    const char *dir = getenv("HOLDFAST_VECTORS");
    if (!dir || !*dir)
        dir = getenv("HOLDFAST_VECTORS_DIR");
    if (!dir || !*dir)
        dir = "../shared/vectors";
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        give_up("no memory for the path of", name);
    return path;
}

bool vectors_have(const char *name)
{
    char *path = vectors_path(name);
    bool have = access(path, R_OK) == 0;
    free(path);
    return have;
}

void vectors_need(const char *name)
{
    if (vectors_have(name))
        return;
    char *path = vectors_path(name);
    printf("SKIP: published vectors are missing: %s (set HOLDFAST_VECTORS to their folder)\n", path);
    free(path);
    exit(77);
}

uint8_t *vectors_read(const char *name, size_t *n)
{
    char *path = vectors_path(name);
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        give_up("cannot read", path);
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes = size >= 0 ? calloc(1, (size_t)size + 1) : NULL;
    if (!bytes || fread(bytes, 1, (size_t)size, f) != (size_t)size)
        give_up("cannot read", path);
    fclose(f);
    free(path);
    *n = (size_t)size;
    return bytes;
}

json_t *vectors_json(const char *name)
{
    size_t n = 0;
    uint8_t *bytes = vectors_read(name, &n);
    json_error_t why;
    json_t *root = json_loadb((char *)bytes, n, 0, &why);
    free(bytes);
    if (!root)
        give_up(why.text, name);
    return root;
}

const char *vectors_text(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));
    if (!s)
        give_up("no text member", key);
    return s;
}

uint8_t *vectors_hex(const json_t *obj, const char *key, size_t *n)
{
    const char *hex = vectors_text(obj, key);
    *n = strlen(hex) / 2;
    uint8_t *out = calloc(1, *n + 1);
    if (!out || hex_to(out, *n, hex, strlen(hex)).code != E_OK)
        give_up("no hex in member", key);
    return out;
}

void hex_must(uint8_t *out, size_t n, const char *hex)
{
    if (hex_to(out, n, hex, strlen(hex)).code != E_OK)
        give_up("bad hex in a test", hex);
}

static const char *dir_of(const char *name)
{
    const char *dir = getenv(name);
    if (!dir || !*dir)
        give_up("not set (run by ctest)", name);
    return dir;
}

const char *source_dir(void)
{
    return dir_of("HOLDFAST_SOURCE");
}

const char *build_dir(void)
{
    return dir_of("HOLDFAST_BUILD");
}
