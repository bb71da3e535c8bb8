/* What the judge of dry runs sends as a trace, by a judge that was taken over. What is taken becomes one JSON value. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "daemon/trace.h"
#include "daemon/web_trace.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *body = (uint8_t *)strdup("{\"a\":1}");
    size_t len = 7;
    MUST(body);
    if (web_trace_add(&body, &len, p, n).code) {
        MUST(len == 7);
        free(body);
        return 0;
    }
    json_t *v = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, NULL), *trace = json_object_get(v, "trace");
    json_t *inputs = json_object_get(trace, "inputs");
    MUST(json_is_array(inputs));
    if (json_array_size(inputs) > 1) fuzz_reached("trace");
    if (json_is_true(json_object_get(trace, "truncated"))) fuzz_reached("trace.cut");
    json_decref(v);
    free(body);
    return 0;
}
