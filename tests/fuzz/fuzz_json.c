/* A client's body, read as /verify-and-sign and as /setup. What is taken must parse as the
 * judge will parse it, and be written back by the wire's own rules. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/log.h"
#include "daemon/web_json.h"
#include "signer/emulate.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_open("fuzz", LOG_ERROR);
    return 0;
}

/* A refusal has a status of its kind and printable words. */
static void check_problem(const struct web_problem *why)
{
    MUST(why->status == 400 || why->status == 413 || why->status == 422);
    size_t n = strnlen(why->text, sizeof why->text);
    MUST(n > 0 && n < sizeof why->text);
    for (size_t i = 0; i < n; i++) MUST(why->text[i] >= 0x20 && why->text[i] <= 0x7e);
}

static void try_sign(const uint8_t *data, size_t n)
{
    struct web_problem why;
    struct web_form form;
    uint8_t *message;
    size_t len;
    if (!web_read_sign(&message, &len, &form, &why, 0x0123456789abcdefu, data, n)) {
        check_problem(&why);
        return;
    }
    EMULATE_REQUEST q = NULL;
    MUST(len <= (form.kind == WEB_FORM_PSBT ? EMULATE_REQUEST_MAX + JUDGE_HEAD : n + 64));
    MUST(emulate_request_parse(&q, message + JUDGE_HEAD, len - JUDGE_HEAD).code == E_OK);
    fuzz_reached("json");
    if (form.kind == WEB_FORM_PSBT) fuzz_reached("json.psbt");
    if (form.kind == WEB_FORM_HEX) fuzz_reached("json.hex");
    if (form.kind == WEB_FORM_INPUT) fuzz_reached("json.input");
    if (q->tx->in_count > 1 && q->backup_count) fuzz_reached("json.roots");
    free(message);
}

static void try_setup(const uint8_t *data, size_t n)
{
    struct wire_setup s;
    struct wire_headers h;
    struct web_problem why;
    uint8_t *message;
    size_t len;
    if (!web_read_setup(&message, &len, &why, data, n)) {
        MUST(!message);
        check_problem(&why);
        return;
    }
    MUST(len >= WIRE_SETUP_LEAST && len <= WIRE_SETUP_MOST);
    struct rd r = rd_of(message, len);
    wire_get_setup(&r, &s);
    wire_get_headers(&r, &h);
    MUST(rd_end(&r, "setup").code == E_OK && s.key_id[0]);
    fuzz_reached("json.setup");
    if (h.given && h.anchored && h.n) fuzz_reached("json.headers");
    free(message);
}

/* A tree that is taken has an address; its recovery leaf is one that this program would make again. */
static void try_address(const uint8_t *data, size_t n, enum child_kind kind)
{
    static const uint8_t master[33] = { 2, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
                                        0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98 };
    struct web_address a;
    struct web_problem why;
    uint8_t *body;
    struct rule_list rules;
    MUST(!rules_list_parse(&rules, "tapscript,lnhance").code);
    if (!web_read_address(&a, &why, data, n, kind, &rules)) {
        check_problem(&why);
        return;
    }
    const size_t len = web_address_body(&body, &a, master);
    MUST(len > 100 && body);
    if (kind == CHILD_OF_OUTPUT) fuzz_reached("json.bound");
    else fuzz_reached("json.address");
    if (a.recovery_len) fuzz_reached("json.recovery");
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    try_address(data, n, CHILD_OF_ROOT);
    try_address(data, n, CHILD_OF_OUTPUT);
    try_sign(data, n);
    try_setup(data, n);
    return 0;
}
