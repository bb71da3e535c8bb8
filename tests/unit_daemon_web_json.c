/* The readers of client documents and the writers of answers, as functions: exact bytes,
 * exact words, and every allocation failing in turn. The same over HTTP: tests/system/test_web_*.py. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "daemon/web_json.h"
#include "daemon/web_text.h"
#include "signer/emulate.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"
#include "tests/support/vectors.h"

#define NULL_TXID "0000000000000000000000000000000000000000000000000000000000000000"
#define ACTUAL "5120fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f"
#define CONTROL "c04d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"

/* The body of the earlier system's own server test. */
static const char upstream[] =
    "{\"emulated_tx_to\":{\"version\":2,\"lock_time\":0,\"input\":[{\"previous_output\":\"" NULL_TXID ":4294967295\",\"script_sig\":\"\","
    "\"sequence\":4294967293,\"witness\":[\"51\",\"" CONTROL "\"]}],\"output\":[{\"value\":100000,\"script_pubkey\":\"6a00\"}]},"
    "\"actual_spent_outputs\":[{\"value\":100000,\"script_pubkey\":\"" ACTUAL "\"}],\"backup_merkle_roots\":{}}";

/* What it says on the wire: id, transaction, one output, no roots. */
static const char upstream_message[] =
    "8877665544332211" "ffffffff"
    "65000000"
    "02000000" "0001" "01" NULL_TXID "ffffffff" "00" "fdffffff" "01" "a086010000000000" "02" "6a00" "02" "0151" "21" CONTROL "00000000"
    "01000000" "a086010000000000" "22000000" ACTUAL
    "00000000"
    "00000000";

static bool read_sign(uint8_t **message, size_t *n, struct web_problem *why, const char *text)
{
    struct web_form form;
    return web_read_sign(message, n, &form, why, 0x1122334455667788u, text, strlen(text));
}

/* The name of a rule set is the message's last part, in the forms alike; without one the part is empty. */
START_TEST(rules_are_passed_on)
{
    static const struct { const char *member; const char *name; } good[] = {
        { "", "" }, { "\"rules\":null,", "" }, { "\"rules\":\"tapscript\",", "tapscript" },
        { "\"rules\":\"a234567890123456789012345678901\",", "a234567890123456789012345678901" },
    };
    static const char *const bad[] = { "\"rules\":\"\",", "\"rules\":1,", "\"rules\":[\"cat\"],", "\"rules\":\"a2345678901234567890123456789012\"," };
    struct web_problem why;
    char text[2048];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        BYTES message = NULL;
        EMULATE_REQUEST q = NULL;
        size_t n;
        snprintf(text, sizeof text, "{%s%s", good[i].member, upstream + 1);
        ck_assert_msg(read_sign(&message, &n, &why, text), "%s", why.text);
        ASSERT_OK(emulate_request_parse(&q, message + JUDGE_HEAD, n - JUDGE_HEAD));
        ck_assert_uint_eq(q->rules.n, strlen(good[i].name));
        ck_assert_mem_eq(q->rules.p, good[i].name, q->rules.n);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BYTES message = NULL;
        size_t n;
        snprintf(text, sizeof text, "{%s%s", bad[i], upstream + 1);
        ck_assert(!read_sign(&message, &n, &why, text));
        ck_assert_int_eq(why.status, 422);
        ck_assert_ptr_nonnull(strstr(why.text, "rules: "));
    }
}
END_TEST

START_TEST(exact_message)
{
    uint8_t *message, want[512];
    struct web_problem why;
    size_t n, want_len = strlen(upstream_message) / 2;
    hex_must(want, want_len, upstream_message);
    ck_assert(read_sign(&message, &n, &why, upstream));
    ck_assert_uint_eq(n, want_len);
    ck_assert_mem_eq(message, want, n);
    free(message);
}
END_TEST

static void refused(const char *text, int status, const char *words)
{
    uint8_t *message;
    struct web_problem why;
    size_t n;
    ck_assert(!read_sign(&message, &n, &why, text));
    ck_assert_ptr_null(message);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(why.status, status);
    ck_assert_str_eq(why.text, words);
}

START_TEST(exact_words)
{
    static const char form[] = "Failed to deserialize the JSON body into the target type: ";
    char want[256];
    const struct { const char *text, *words; } bad[] = {
        { "{\"a\":1,\"a\":1}", "body: a member is there twice" },
        { "[99999999999999999999]", "body: a number is too large" },
        { "\"\\u0000\"", "body: a text has the character U+0000" },
        { "7", "body: not an object" },
        { "{}", "emulated_tx_to: missing" },
        { "{\"emulated_tx_to\":{\"version\":2147483648}}", "emulated_tx_to.version: out of range" },
        { "{\"emulated_tx_to\":{\"version\":1,\"lock_time\":-1}}", "emulated_tx_to.lock_time: out of range" },
        { "{\"emulated_tx_to\":{\"version\":1,\"lock_time\":1,\"input\":[]}}", "emulated_tx_to.input: a transaction needs an input" },
        { "{\"emulated_tx_to\":{\"version\":1,\"lock_time\":1,\"input\":[1]}}", "emulated_tx_to.input[0].input: not an object" },
        { "{\"emulated_tx_to\":{\"version\":1,\"lock_time\":1,\"input\":[{\"previous_output\":\"x\"}]}}",
          "emulated_tx_to.input[0].previous_output: not of the form TXID:NUMBER" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(want, sizeof want, "%s%s", form, bad[i].words);
        refused(bad[i].text, 422, want);
    }
    refused("{", 400, "Failed to parse the request body as JSON: string or '}' expected at line 1 column 1");
    refused("", 400, "Failed to parse the request body as JSON: unexpected token at line 1 column 0");
}
END_TEST

/* Words of the client never come back, whatever they are. */
START_TEST(no_echo)
{
    uint8_t *message;
    struct web_problem why;
    size_t n;
    ck_assert(!read_sign(&message, &n, &why, "{\"<script>\": nothing}"));
    ck_assert_ptr_null(strstr(why.text, "script"));
    ck_assert_ptr_null(strstr(why.text, "nothing"));
}
END_TEST

START_TEST(depth)
{
    char text[256];
    uint8_t *message;
    size_t len;
    struct web_problem why;
    for (size_t n = WEB_DEPTH - 1; n <= WEB_DEPTH + 1; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        ck_assert(!web_read_setup(&message, &len, &why, text, 2 * n));
        ck_assert_int_eq(why.status, n <= WEB_DEPTH ? 422 : 400);
    }
}
END_TEST

static bool read_setup(struct wire_setup *s, struct wire_headers *h, uint8_t **message, struct web_problem *why, const char *text)
{
    size_t n = 0;
    if (!web_read_setup(message, &n, why, text, strlen(text))) return false;
    struct rd r = rd_of(*message, n);
    wire_get_setup(&r, s);
    wire_get_headers(&r, h);
    ASSERT_OK(rd_end(&r, "setup"));
    return true;
}

#define HASH "000102030405060708090a0b0c0d0e0f101112131415161718191A1b1c1d1e1f"
START_TEST(setup)
{
    static const char text[] = "{\"max_weight\":9223372036854775807,\"key_id\":\"k\",\"blockhash\":\"" HASH "\",\"other\":{}}";
    struct wire_setup s;
    struct wire_headers h;
    struct web_problem why;
    BYTES message = NULL;
    ck_assert(read_setup(&s, &h, &message, &why, text));
    ck_assert(s.limited && s.max_weight == INT64_MAX);
    ck_assert_str_eq(s.key_id, "k");
    for (int i = 0; i < 32; i++) ck_assert_int_eq(s.blockhash[i], i);
    ck_assert(!h.given);
}
END_TEST

#define SETUP_WITH(headers) "{\"key_id\":\"k\",\"blockhash\":\"" HASH "\",\"headers\":" headers "}"
START_TEST(setup_headers)
{
    static const char *const good[] = {
        SETUP_WITH("{\"network\":\"signet\",\"anchor\":{\"height\":2147483647,\"hash\":\"" HASH "\"},\"hex\":\"0aFF10\"}"),
        SETUP_WITH("{\"network\":\"signet\",\"anchor\":null,\"base64\":\"Cv8Q\",\"more\":1}"),
    };
    static const struct { const char *text, *at; } bad[] = {
        { SETUP_WITH("[]"), "headers: not an object" },
        { SETUP_WITH("{\"hex\":\"\"}"), "headers.network: missing" },
        { SETUP_WITH("{\"network\":\"main\",\"hex\":\"\"}"), "headers.network: not mainnet" },
        { SETUP_WITH("{\"network\":\"regtest\"}"), "headers.base64: missing" },
        { SETUP_WITH("{\"network\":\"regtest\",\"hex\":7}"), "headers.hex: not a text" },
        { SETUP_WITH("{\"network\":\"regtest\",\"hex\":\"0\"}"), "headers.hex: not hex" },
        { SETUP_WITH("{\"network\":\"regtest\",\"hex\":\"0g\"}"), "headers.hex: not hex" },
        { SETUP_WITH("{\"network\":\"regtest\",\"base64\":\"AAA\"}"), "headers.base64: not base64" },
        { SETUP_WITH("{\"network\":\"regtest\",\"base64\":\"A===\"}"), "headers.base64: not base64" },
        { SETUP_WITH("{\"network\":\"regtest\",\"base64\":\"AB==\"}"), "headers.base64: not base64" },
        { SETUP_WITH("{\"network\":\"regtest\",\"base64\":\"A=AA\"}"), "headers.base64: not base64" },
        { SETUP_WITH("{\"network\":\"regtest\",\"base64\":\"\",\"hex\":\"\"}"), "headers.base64: there beside hex" },
        { SETUP_WITH("{\"network\":\"regtest\",\"anchor\":7,\"hex\":\"\"}"), "headers.anchor: not an object" },
        { SETUP_WITH("{\"network\":\"regtest\",\"anchor\":{\"height\":-1,\"hash\":\"" HASH "\"},\"hex\":\"\"}"), "headers.anchor.height: out of range" },
        { SETUP_WITH("{\"network\":\"regtest\",\"anchor\":{\"height\":2147483648,\"hash\":\"" HASH "\"},\"hex\":\"\"}"), "headers.anchor.height: out of range" },
        { SETUP_WITH("{\"network\":\"regtest\",\"anchor\":{\"height\":1,\"hash\":\"00\"},\"hex\":\"\"}"), "headers.anchor.hash: not 64 hex digits" },
    };
    static const uint8_t bytes[3] = { 0x0a, 0xff, 0x10 };
    struct wire_setup s;
    struct wire_headers h;
    struct web_problem why;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        BYTES message = NULL;
        ck_assert_msg(read_setup(&s, &h, &message, &why, good[i]), "%s", why.text);
        ck_assert(h.given && h.network == HEADERS_SIGNET && h.n == 3 && memcmp(h.bytes, bytes, 3) == 0 && h.anchored == (i == 0));
        if (i == 0) ck_assert(h.height == INT32_MAX && memcmp(h.hash, s.blockhash, 32) == 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BYTES message = NULL;
        ck_assert_msg(!read_setup(&s, &h, &message, &why, bad[i].text), "%s", bad[i].text);
        ck_assert_ptr_null(message);
        ck_assert_int_eq(why.status, 422);
        ck_assert_msg(strstr(why.text, bad[i].at), "%s, not %s", why.text, bad[i].at);
    }
}
END_TEST

/* As many headers as are taken, and three bytes more; the message always fits its bounds. */
START_TEST(setup_many_headers)
{
    const size_t most = HEADERS_MAX * HEADER_SIZE;
    BYTES text = NULL;
    struct web_problem why;
    ASSERT_OK(mem_new(&text, 2 * most + 512));
    for (size_t n = most; n <= most + 3; n += 3) {
        BYTES message = NULL;
        size_t len = 0;
        const int head = snprintf((char *)text, 512, "{\"key_id\":\"k\",\"blockhash\":\"" HASH "\",\"headers\":{\"network\":\"regtest\",\"hex\":\"");
        memset(text + head, 'a', 2 * n);
        memcpy(text + (size_t)head + 2 * n, "\"}}", 4);
        const bool good = web_read_setup(&message, &len, &why, text, strlen((char *)text));
        ck_assert_int_eq(good, n == most);
        if (good) ck_assert_uint_le(len, WIRE_SETUP_MOST);
        else ck_assert_int_eq(why.status, 413);
    }
}
END_TEST

START_TEST(decimals)
{
    uint64_t v = 0;
    ck_assert(web_decimal("0", 9, &v) && v == 0);
    ck_assert(web_decimal("18446744073709551615", UINT64_MAX, &v) && v == UINT64_MAX);
    ck_assert(!web_decimal("18446744073709551616", UINT64_MAX, &v));
    ck_assert(web_decimal("4294967295", UINT32_MAX, &v) && v == UINT32_MAX);
    const char *const bad[] = { "", "00", "01", "+1", "-1", " 1", "1 ", "1a", "4294967296", "99999999999999999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!web_decimal(bad[i], UINT32_MAX, &v), "%s", bad[i]);
}
END_TEST

/* The transaction comes back as it went, with the witness of the signed input replaced. */
START_TEST(answer)
{
    uint8_t *message, *body, sig[64];
    struct web_problem why;
    size_t n, len;
    memset(sig, 0xab, sizeof sig);
    ck_assert(read_sign(&message, &n, &why, upstream));
    EMULATE_REQUEST q = NULL;
    ASSERT_OK(emulate_request_parse(&q, message + JUDGE_HEAD, n - JUDGE_HEAD));
    struct web_signature s = { .made = true, .bytes = sig };
    len = web_signed_body(&body, q->tx, &s, n);
    const char head[] = "{\"signed_tx\":{\"version\":2,\"lock_time\":0,\"input\":[{\"previous_output\":\"" NULL_TXID ":4294967295\","
                        "\"script_sig\":\"\",\"sequence\":4294967293,\"witness\":[\"abab";
    const char tail[] = "abab\"]}],\"output\":[{\"value\":100000,\"script_pubkey\":\"6a00\"}]},\"inputs\":[{\"index\":0,\"signed\":true}]}";
    ck_assert_uint_gt(len, strlen(head) + strlen(tail));
    ck_assert_mem_eq(body, head, strlen(head));
    ck_assert_mem_eq(body + len - strlen(tail), tail, strlen(tail));
    free(body);
    s.made = false;
    len = web_signed_body(&body, q->tx, &s, n);
    ck_assert_ptr_nonnull(memmem(body, len, "\"witness\":[\"51\",\"" CONTROL "\"]", strlen("\"witness\":[\"51\",\"" CONTROL "\"]")));
    free(body);
    free(message);
}
END_TEST

START_TEST(error_body)
{
    uint8_t *body;
    const char want[] = "{\"error\":\"a \\\"b\\\" \\\\ ? ??\",\"status\":400,\"request_id\":\"00000000000000ff\"}";
    size_t n = web_error_body(&body, "a \"b\" \\ \n \xc3\xa9", 400, 255);
    ck_assert_uint_eq(n, strlen(want));
    ck_assert_mem_eq(body, want, n);
    free(body);
}
END_TEST

/* Out of memory anywhere is a 500, and nothing is kept. (jansson's own allocations are not ours to fail.) */
static err sign_once(void *ctx, unsigned long n)
{
    uint8_t *message, *body = NULL;
    struct web_problem why;
    size_t len;
    (void)ctx;
    (void)n;
    if (!read_sign(&message, &len, &why, upstream)) {
        ck_assert_int_eq(why.status, 500);
        return err_log(E_MEMORY, __FILE__, __LINE__, "as provoked");
    }
    len = web_error_body(&body, "x", 400, 1);
    free(message);
    free(body);
    return len ? OK : (err){ E_MEMORY };
}

static err setup_once(void *ctx, unsigned long n)
{
    static const char text[] = SETUP_WITH("{\"network\":\"regtest\",\"hex\":\"00ff\"}");
    uint8_t *message;
    struct web_problem why;
    size_t len;
    (void)ctx;
    (void)n;
    if (!web_read_setup(&message, &len, &why, text, sizeof text - 1)) {
        ck_assert_int_eq(why.status, 500);
        ck_assert_ptr_null(message);
        return err_log(E_MEMORY, __FILE__, __LINE__, "as provoked");
    }
    free(message);
    return OK;
}

START_TEST(no_memory)
{
    FAULT_LOOP(FAULT_ALLOC, sign_once, NULL);
    FAULT_LOOP(FAULT_ALLOC, setup_once, NULL);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("web_json", exact_message, rules_are_passed_on, exact_words, no_echo, depth, setup, setup_headers, setup_many_headers, decimals, answer, error_body, no_memory);
}

CHECK_MAIN(suite)
