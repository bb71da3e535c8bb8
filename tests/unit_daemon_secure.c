/* The keeper's half of encrypted requests: its rules called as its loop calls them, with web and sign played
 * over socket pairs. Every allocation, random call and arena slot under them fails in turn. */
#include "daemon/secure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/hash.h"
#include "core/mem.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"
#include "tests/support/vectors.h"

enum { ROOM = 1 << 16, ARENA = 192 << 10 };
static struct { struct role_env env; struct keeper k; int web, sign; uint8_t *room; struct msg got; } s;

static void pair(int *ours, int *theirs)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *ours = fds[0];
    *theirs = fds[1];
}

static void set_up(void)
{
    memset(&s, 0, sizeof s);
    ASSERT_OK(secret_arena_open(ARENA));
    pair(&s.web, &s.env.peer[ROLE_WEB]);
    pair(&s.sign, &s.env.peer[ROLE_SIGN]);
    ASSERT_OK(mem_new(&s.room, ROOM));
    s.k.env = &s.env;
    s.k.state = PHASE_SERVING;
    ASSERT_OK(secure_open(&s.k.secure));
    ASSERT_OK(secure_show(s.k.secure, &s.k.shown));
}

static void tear_down(void)
{
    secure_close(&s.k.secure);
    close(s.web);
    close(s.sign);
    close(s.env.peer[ROLE_WEB]);
    close(s.env.peer[ROLE_SIGN]);
    free(s.room);
    ck_assert_uint_eq(secret_count(), 0);
    secret_arena_close();
}

typedef err rule(void *self, int fd, const struct msg *m, int *pass);

/* One frame from web, and what comes back. OK when there was an answer. */
static err call(rule *on, const void *body, size_t n)
{
    const struct msg m = { .seq = 9, .len = (uint32_t)n, .body = body };
    int pass = -1;
    TRY(on(&s.k, s.env.peer[ROLE_WEB], &m, &pass));
    TRY(msg_recv(s.web, &s.got, s.room, ROOM, NULL, 5000));
    MUST(s.got.seq == 9);
    return OK;
}

static unsigned verdict(uint64_t *handle)
{
    struct rd r = rd_of(s.got.body, s.got.len);
    ck_assert_uint_eq(s.got.type, KEEPER_OPENED);
    unsigned v = rd_u8(&r);
    *handle = rd_u64(&r);
    ck_assert((v == SECURE_OPEN) == (*handle != 0));
    if (v != SECURE_OPEN) ck_assert_uint_eq(s.got.len, 9);
    return v;
}

static uint64_t now_ms(void) { return (uint64_t)time(NULL) * 1000; }

static size_t question(uint8_t out[static 512], struct channel_reply *reply, uint64_t time_ms)
{
    size_t n = 0;
    const struct channel_question q = { .boot = s.k.shown.boot, .time_ms = time_ms, .method = CHANNEL_POST,
                                        .path = "/setup", .body = "words", .n = 5 };
    ASSERT_OK(channel_ask(out, &n, reply, s.k.shown.channel_key, &q));
    return n;
}

static unsigned open_one(uint64_t *handle, struct channel_reply *reply)
{
    uint8_t ask[512];
    size_t n = question(ask, reply, now_ms());
    ASSERT_OK(call(secure_on_channel, ask, n));
    unsigned v = verdict(handle);
    if (v == SECURE_OPEN) ck_assert_mem_eq(s.got.body + 9, "words", 5);
    return v;
}

static err seal(uint64_t handle, uint16_t status, uint8_t kind, const char *text)
{
    uint8_t body[512];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, handle);
    wr_u16(&w, status);
    wr_u8(&w, kind);
    wr_text(&w, text);
    return call(secure_on_seal, body, w.len);
}

START_TEST(one_request_one_answer)
{
    CHANNEL_REPLY reply;
    struct channel_said said;
    uint8_t plain[64];
    uint64_t handle, other;
    ck_assert_uint_eq(open_one(&handle, &reply), SECURE_OPEN);
    size_t alive = secret_count();
    ASSERT_OK(seal(handle, 201, CHANNEL_TEXT, "done"));
    ck_assert_uint_eq(s.got.type, KEEPER_SEALED);
    ck_assert_uint_eq(s.got.body[0], 1);
    ASSERT_OK(channel_read(plain, &said, &reply, s.got.body + 1, s.got.len - 1));
    ck_assert_mem_eq(plain, "done", 4);
    ck_assert(said.status == 201 && said.kind == CHANNEL_TEXT);
    ck_assert_uint_eq(secret_count(), alive - 1);
    /* The handle is gone; so are those that never were. */
    for (uint64_t h = 0; h < handle + 3; h++) {
        ASSERT_OK(seal(h, 200, CHANNEL_JSON, "again"));
        ck_assert_uint_eq(s.got.len, 1);
        ck_assert_uint_eq(s.got.body[0], 0);
    }
    ck_assert_uint_eq(open_one(&other, &reply), SECURE_OPEN);
    ck_assert_uint_ne(other, handle);
    ASSERT_CODE(seal(other, 200, 3, ""), E_FORMAT);      /* what ends the role */
}
END_TEST

START_TEST(refusals)
{
    CHANNEL_REPLY reply;
    uint8_t ask[512];
    uint64_t handle;
    size_t n = question(ask, &reply, now_ms());
    const struct { size_t at; unsigned want; } flips[] = {
        { 0, SECURE_BAD_FORM }, { 10, SECURE_BAD_SEAL }, { 40, SECURE_BAD_BOOT }, { 52, SECURE_BAD_SEAL }, { 64, SECURE_BAD_SEAL }, { n - 1, SECURE_BAD_SEAL },
    };
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        ask[flips[i].at] ^= 1;
        ASSERT_OK(call(secure_on_channel, ask, n));
        ck_assert_uint_eq(verdict(&handle), flips[i].want);
        ask[flips[i].at] ^= 1;
    }
    for (unsigned phase = 0; phase < PHASES; phase++) {
        if (phase == PHASE_SERVING || phase == PHASE_WITNESSING || phase == PHASE_AWAITING_SETUP) continue;
        s.k.state = phase;
        ASSERT_OK(call(secure_on_channel, ask, n));
        ck_assert_uint_eq(verdict(&handle), SECURE_NOT_NOW);
    }
    s.k.state = PHASE_AWAITING_SETUP;
    ASSERT_OK(call(secure_on_channel, ask, n));
    ck_assert_uint_eq(verdict(&handle), SECURE_OPEN);
    ASSERT_OK(call(secure_on_channel, ask, n));
    ck_assert_uint_eq(verdict(&handle), SECURE_REPLAYED);
    n = question(ask, &reply, now_ms() - CHANNEL_WINDOW_MS - 2000);
    ASSERT_OK(call(secure_on_channel, ask, n));
    ck_assert_uint_eq(verdict(&handle), SECURE_BAD_TIME);
}
END_TEST

/* The service's key takes the place of the first one; what was opened before is still answered. */
START_TEST(the_key_changes_with_the_service)
{
    KEYRING ring = { .epoch = 1 };
    CHANNEL_REPLY reply;
    struct channel_said said;
    uint8_t before[32], ask[512], plain[64];
    uint64_t handle, none;
    memcpy(before, s.k.shown.channel_key, 32);
    size_t n = question(ask, &reply, now_ms());
    CHANNEL_REPLY old;
    ck_assert_uint_eq(open_one(&handle, &old), SECURE_OPEN);
    ASSERT_OK(secret_random(&ring.service_root, 32));
    ASSERT_OK(secure_service(s.k.secure, &ring));
    ASSERT_OK(secure_show(s.k.secure, &s.k.shown));
    ck_assert(memcmp(before, s.k.shown.channel_key, 32) != 0);
    ASSERT_OK(call(secure_on_channel, ask, n));
    ck_assert_uint_eq(verdict(&none), SECURE_BAD_SEAL);
    ASSERT_OK(seal(handle, 200, CHANNEL_JSON, "{}"));
    ASSERT_OK(channel_read(plain, &said, &old, s.got.body + 1, s.got.len - 1));
    ck_assert_uint_eq(open_one(&handle, &reply), SECURE_OPEN);
    ring.epoch = 2;
    memcpy(before, s.k.shown.channel_key, 32);
    ASSERT_OK(secure_service(s.k.secure, &ring));
    ASSERT_OK(secure_show(s.k.secure, &s.k.shown));
    ck_assert(memcmp(before, s.k.shown.channel_key, 32) != 0);
}
END_TEST

/* As many as there is room for, all in the arena at once; then there is none, until one is answered. */
START_TEST(bounded)
{
    static struct channel_reply reply[SECURE_SESSIONS + 1];
    static uint64_t handle[SECURE_SESSIONS + 1];
    for (size_t i = 0; i < SECURE_SESSIONS; i++) ck_assert_uint_eq(open_one(&handle[i], &reply[i]), SECURE_OPEN);
    ck_assert_uint_eq(open_one(&handle[SECURE_SESSIONS], &reply[SECURE_SESSIONS]), SECURE_FULL);
    for (size_t i = SECURE_SESSIONS; i-- > 0;) {
        struct channel_said said;
        uint8_t plain[64];
        ASSERT_OK(seal(handle[i], 200, CHANNEL_JSON, "{}"));
        ASSERT_OK(channel_read(plain, &said, &reply[i], s.got.body + 1, s.got.len - 1));
    }
    ck_assert_uint_eq(open_one(&handle[0], &reply[0]), SECURE_OPEN);
}
END_TEST

/* ---- the earlier systems' requests; sign's answer lies ready ---- */

/* Published: the key, a request of nonce 000102…0b, and its plaintext. */
#define KEY "87fc0891fa088506eb1f0abf551832e2c6d61bacaab16bca8f792bcbd45240e2"
#define SEALED "000102030405060708090a0b30062c06f9fb13c9cd349d78fcec94cbe42e126140aff111f34d02fd904fa0460c"
#define CLIENT "02531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337"

static void sign_says_key(void)
{
    SECRET key = NULL;
    ASSERT_OK(secret_new(&key, 32));
    hex_must(secret_reveal(key), 32, KEY);
    ASSERT_OK(msg_send_secret(s.sign, SIGN_AGREED, 1, NULL, 0, key, 1000));
}

static size_t earlier(uint8_t out[static 128])
{
    out[0] = 33;
    hex_must(out + 1, 33, CLIENT);
    hex_must(out + 34, 45, SEALED);
    return 34 + 45;
}

static void sign_was_asked(void)
{
    struct msg m;
    uint8_t room[128], client[33];
    hex_must(client, 33, CLIENT);
    ASSERT_OK(msg_recv(s.sign, &m, room, sizeof room, NULL, 1000));
    ck_assert(m.type == SIGN_AGREE && m.len == 33 && memcmp(m.body, client, 33) == 0);
}

START_TEST(earlier_requests)
{
    uint8_t ask[128], key[32], plain[64];
    uint64_t handle;
    size_t n = earlier(ask);
    hex_must(key, 32, KEY);
    sign_says_key();
    ASSERT_OK(call(secure_on_secure, ask, n));
    ck_assert_uint_eq(verdict(&handle), SECURE_OPEN);
    ck_assert_uint_eq(s.got.len, 9 + 17);
    ck_assert_mem_eq(s.got.body + 9, "{\"hello\":\"world\"}", 17);
    sign_was_asked();
    ASSERT_OK(seal(handle, 200, CHANNEL_JSON, "{\"bye\":1}"));
    ck_assert_uint_eq(s.got.len, 1 + SECURE_OVERHEAD + 9);
    ASSERT_OK(aead_open(plain, &(struct aead){ key, s.got.body + 1, NULL, 0 }, s.got.body + 13, s.got.len - 13));
    ck_assert_mem_eq(plain, "{\"bye\":1}", 9);
    /* Altered, or too short for a nonce and a tag. */
    for (size_t cut = n - 34; cut > 0; cut--) {
        sign_says_key();
        ask[n - 1] ^= cut == n - 34;
        ASSERT_OK(call(secure_on_secure, ask, n - 1 - (n - 34 - cut)));
        ck_assert_uint_eq(verdict(&handle), SECURE_BAD_SEAL);
        sign_was_asked();
    }
    /* sign finds no point there. */
    ASSERT_OK(msg_send_error(s.sign, &(struct msg){ .seq = 1 }, (err){ E_DENIED }));
    ASSERT_OK(call(secure_on_secure, ask, n));
    ck_assert_uint_eq(verdict(&handle), SECURE_BAD_KEY);
    sign_was_asked();
    s.k.state = PHASE_RESTORING;
    ASSERT_OK(call(secure_on_secure, ask, n));
    ck_assert_uint_eq(verdict(&handle), SECURE_NOT_NOW);
    s.k.state = PHASE_SERVING;
    /* What web never sends, and another error of sign's, end the role. */
    ask[0] = 34;
    ASSERT_CODE(call(secure_on_secure, ask, n), E_FORMAT);
    ask[0] = 33;
    ASSERT_OK(msg_send_error(s.sign, &(struct msg){ .seq = 1 }, (err){ E_IO }));
    ASSERT_CODE(call(secure_on_secure, ask, n), E_IO);
}
END_TEST

/* ---- faults ---- */

static err do_open(void *ctx, unsigned long n)
{
    SECURE own = NULL;
    (void)ctx;
    (void)n;
    return secure_open(&own);
}

/* Check's own allocations are not among those that fail. */
static uint64_t must_open(void)
{
    uint64_t handle;
    fault_pause(1);
    ck_assert_uint_eq(verdict(&handle), SECURE_OPEN);
    fault_pause(0);
    return handle;
}

static err do_answer(void *ctx, unsigned long n)
{
    uint8_t ask[512];
    CHANNEL_REPLY reply;
    size_t len;
    (void)ctx;
    (void)n;
    const struct channel_question q = { .boot = s.k.shown.boot, .time_ms = now_ms(), .method = CHANNEL_GET, .path = "/status" };
    TRY(channel_ask(ask, &len, &reply, s.k.shown.channel_key, &q));
    TRY(call(secure_on_channel, ask, len));
    err e = seal(must_open(), 200, CHANNEL_JSON, "{}");
    MUST(e.code || s.got.body[0] == 1);
    return e;
}

static err do_earlier(void *ctx, unsigned long n)
{
    uint8_t ask[128], left[256];
    size_t len;
    (void)ctx;
    (void)n;
    fault_pause(1);
    sign_says_key();
    len = earlier(ask);
    fault_pause(0);
    err e = call(secure_on_secure, ask, len);
    if (!e.code) e = seal(must_open(), 200, CHANNEL_JSON, "{}");
    while (recv(s.env.peer[ROLE_SIGN], left, sizeof left, MSG_DONTWAIT) > 0) continue;
    while (recv(s.sign, left, sizeof left, MSG_DONTWAIT) > 0) continue;
    return e;
}

START_TEST(faults)
{
    FAULT_LOOP(FAULT_ALLOC, do_open, NULL);
    FAULT_LOOP(FAULT_RANDOM, do_open, NULL);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, do_answer, NULL);
    FAULT_LOOP(FAULT_RANDOM, do_answer, NULL);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, do_earlier, NULL);
    FAULT_LOOP(FAULT_RANDOM, do_earlier, NULL);
}
END_TEST

static Suite *secure_suite(void)
{
    Suite *suite = suite_create("daemon_secure");
    TCase *t = tcase_create("secure");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, one_request_one_answer);
    tcase_add_test(t, refusals);
    tcase_add_test(t, the_key_changes_with_the_service);
    tcase_add_test(t, bounded);
    tcase_add_test(t, earlier_requests);
    tcase_add_test(t, faults);
    suite_add_tcase(suite, t);
    return suite;
}

int main(void)
{
    if (crypto_warm_up().code) return 1;
    return check_main((check_suite *const[]){ secure_suite }, 1);
}
