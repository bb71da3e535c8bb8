/* vector_run KIND FILE - run a file of published Bitcoin test vectors through the engine.
 *
 * Prints each case that fails on a line of its own, and last `N passed, N failed`. Exit status: 0 none
 * failed, 1 some did, 2 wrong use or a file that is no such set, 77 the file is not there. */
#include "tests/vector_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

static const struct { const char *name; runner *run; bool json; } kinds[] = {
    { "script_tests", run_script_tests, true },
    { "tx_valid", run_tx_valid, true },
    { "tx_invalid", run_tx_invalid, true },
    { "sighash", run_sighash, true },
    { "bip341", run_bip341, true },
    { "assets", run_assets, true },
    { "bip340", run_bip340, false },
    { "ctvhash", run_ctvhash, true },
    { "templatehash", run_templatehash, true },
};

void verdict(struct run *r, bool good, size_t row, const char *fmt, ...)
{
    if (good) {
        r->passed++;
        return;
    }
    r->failed++;
    va_list ap;
    va_start(ap, fmt);
    printf("FAIL %s row %zu: ", r->kind, row);
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

void broken(size_t row, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "vector_run: row %zu: ", row);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(2);
}

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        printf("SKIP: %s is not there\n", path);
        exit(77);
    }
    size_t n = 0, cap = 1 << 20;
    char *text = malloc(cap + 1);
    while (text && (n += fread(text + n, 1, cap - n, f)) == cap)
        text = realloc(text, (cap *= 2) + 1);
    fclose(f);
    if (!text)
        broken(0, "no memory");
    text[n] = 0;
    return text;
}

/* Some published sets end with a comma before the last bracket: blank it. */
static void drop_trailing_commas(char *text)
{
    char *comma = NULL;
    bool quoted = false;
    for (char *p = text; *p; p++) {
        if (quoted) {
            if (*p == '\\' && p[1])
                p++;
            else if (*p == '"')
                quoted = false;
        } else if (*p == '"') {
            quoted = true;
            comma = NULL;
        } else if (*p == ',') {
            comma = p;
        } else if ((*p == ']' || *p == '}') && comma) {
            *comma = ' ';
            comma = NULL;
        } else if (!strchr(" \t\r\n", *p)) {
            comma = NULL;
        }
    }
}

static int usage(void)
{
    fprintf(stderr, "usage: vector_run KIND FILE\nkinds:");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        fprintf(stderr, " %s", kinds[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    size_t k = 0;
    if (argc != 3)
        return usage();
    while (k < sizeof kinds / sizeof *kinds && strcmp(kinds[k].name, argv[1]) != 0)
        k++;
    if (k == sizeof kinds / sizeof *kinds)
        return usage();
    log_open("vector_run", LOG_ERROR + 1);     /* refusals are what is tested: no news */
    char *text = read_all(argv[2]);
    json_t *root = NULL;
    if (kinds[k].json) {
        json_error_t why;
        drop_trailing_commas(text);
        if (!(root = json_loads(text, 0, &why)))
            broken((size_t)why.line, "%s: %s", argv[2], why.text);
    }
    SCRIPT_ENGINE engine = NULL;
    if (script_engine_new(&engine).code)
        return 2;
    struct run r = { .engine = engine, .kind = argv[1], .text = text, .root = root };
    kinds[k].run(&r);
    row_done();
    printf("%lu passed, %lu failed\n", r.passed, r.failed);
    json_decref(root);
    free(text);
    return r.failed == 0 && r.passed > 0 ? 0 : 1;
}
