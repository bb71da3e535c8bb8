/* asset_run FILE - what the engine says of each spend of a script assets file, a line each: `ROW SIDE ERROR`, under the
 * entry's own flags. For tests that compare it with another interpreter; against expectations: vector_run assets. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "tests/vector_run.h"

void broken(size_t row, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "row %zu: ", row);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    exit(2);
}

void verdict(struct run *r, bool good, size_t row, const char *fmt, ...)
{
    (void)r, (void)good, (void)row, (void)fmt;
}

int main(int argc, char **argv)
{
    static const char *const sides[] = { "success", "failure" };
    json_error_t why;
    json_t *root = argc == 2 ? json_load_file(argv[1], 0, &why) : NULL, *entry;
    SCRIPT_ENGINE engine = NULL;
    size_t i;
    log_open("asset_run", LOG_ERROR + 1);
    if (!json_is_array(root) || script_engine_new(&engine).code) {
        fprintf(stderr, "usage: asset_run FILE\n");
        return 2;
    }
    json_array_foreach(root, i, entry) {
        struct asset a;
        asset_read(&a, i, entry);
        for (int side = 0; side < 2; side++)
            if (asset_side(&a, entry, sides[side]))
                printf("%zu %s %s\n", i, sides[side], script_error_name(asset_run(engine, &a, a.flags)));
        row_done();
    }
    json_decref(root);
    return 0;
}
