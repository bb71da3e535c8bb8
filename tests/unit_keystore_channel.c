/* The channel's messages, both ends, and the memory of requests. */
#include "keystore/channel.h"

#include <stdbool.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "keystore/replay.h"
#include "tests/support/check_main.h"

enum { ROOM = 512 };

struct pair { uint8_t secret_key[32], key[32], boot[CHANNEL_BOOT]; };

static void pair_make(struct pair *p)
{
    ASSERT_OK(random_bytes(p, sizeof *p));
    ASSERT_OK(hpke_public(p->key, p->secret_key));
}

static size_t ask(uint8_t out[static ROOM], struct channel_reply *reply, const struct pair *p, const char *path, const char *body)
{
    size_t n = 0;
    const struct channel_question q = { .boot = p->boot, .time_ms = 1234567890123, .method = CHANNEL_POST,
                                        .path = path, .body = body, .n = strlen(body) };
    ASSERT_OK(channel_ask(out, &n, reply, p->key, &q));
    ck_assert_uint_eq(n, CHANNEL_HEAD + strlen(path) + strlen(body) + HPKE_TAG);
    ck_assert_uint_le(n, strlen(body) + CHANNEL_ASK_MORE);
    return n;
}

START_TEST(there_and_back)
{
    struct pair p;
    uint8_t request[ROOM], answer[ROOM], plain[ROOM];
    CHANNEL_REPLY mine;
    CHANNEL_REPLY theirs;
    struct channel_request q;
    struct channel_said said;
    pair_make(&p);
    size_t n = ask(request, &mine, &p, "/requests?limit=1", "body");
    ASSERT_OK(channel_parse(&q, request, n));
    ck_assert_str_eq(q.path, "/requests?limit=1");
    ck_assert_uint_eq(q.method, CHANNEL_POST);
    ck_assert_uint_eq(q.time_ms, 1234567890123);
    ck_assert_mem_eq(q.boot, p.boot, CHANNEL_BOOT);
    ASSERT_OK(channel_open(&theirs, plain, &q, p.secret_key));
    ck_assert_mem_eq(plain, "body", 4);
    ck_assert_mem_eq(&mine, &theirs, sizeof mine);
    ASSERT_OK(channel_answer(answer, &theirs, 404, CHANNEL_TEXT, (const uint8_t *)"none", 4));
    ASSERT_OK(channel_read(plain, &said, &mine, answer, 4 + CHANNEL_REPLY_MORE));
    ck_assert_mem_eq(plain, "none", 4);
    ck_assert_uint_eq(said.status, 404);
    ck_assert_int_eq(said.kind, CHANNEL_TEXT);
    /* No body at all, either way. */
    n = ask(request, &mine, &p, "/", "");
    ASSERT_OK(channel_parse(&q, request, n));
    ASSERT_OK(channel_open(&theirs, plain, &q, p.secret_key));
    ASSERT_OK(channel_answer(answer, &theirs, 200, CHANNEL_JSON, NULL, 0));
    ASSERT_OK(channel_read(plain, &said, &mine, answer, CHANNEL_REPLY_MORE));
}
END_TEST

/* One bit anywhere: method, path, time, boot and enc are as much part of it as the ciphertext is. */
START_TEST(altered_requests)
{
    struct pair p;
    uint8_t request[ROOM], plain[ROOM], zero[ROOM] = { 0 };
    CHANNEL_REPLY mine;
    CHANNEL_REPLY theirs;
    struct channel_request q;
    size_t opened = 0;
    pair_make(&p);
    size_t n = ask(request, &mine, &p, "/setup", "{\"key_id\":1}");
    for (size_t i = 0; i < 8 * n; i++) {
        request[i / 8] ^= (uint8_t)(1 << i % 8);
        if (channel_parse(&q, request, n).code == E_OK) {
            memset(plain, 7, sizeof plain);
            ASSERT_CODE(channel_open(&theirs, plain, &q, p.secret_key), E_AUTH);
            ck_assert_mem_eq(plain, zero, q.sealed_len - HPKE_TAG);
            ck_assert_mem_eq(&theirs, zero, sizeof theirs);
            opened++;
        }
        request[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    ck_assert_uint_ge(opened, 8 * n - 8 * 20);   /* the form alone refuses few of them */
    for (size_t k = 0; k < n; k++)               /* and every shorter one */
        if (channel_parse(&q, request, k).code == E_OK) ASSERT_CODE(channel_open(&theirs, plain, &q, p.secret_key), E_AUTH);
    struct pair other;
    pair_make(&other);
    ASSERT_OK(channel_parse(&q, request, n));
    ASSERT_CODE(channel_open(&theirs, plain, &q, other.secret_key), E_AUTH);
    ASSERT_OK(channel_open(&theirs, plain, &q, p.secret_key));
}
END_TEST

START_TEST(altered_answers)
{
    struct pair p;
    uint8_t request[ROOM], answer[ROOM], plain[ROOM];
    CHANNEL_REPLY mine;
    CHANNEL_REPLY another;
    struct channel_said said;
    pair_make(&p);
    ask(request, &mine, &p, "/status", "");
    ASSERT_OK(channel_answer(answer, &mine, 200, CHANNEL_JSON, (const uint8_t *)"{}", 2));
    size_t n = 2 + CHANNEL_REPLY_MORE;
    for (size_t i = 0; i < 8 * n; i++) {
        answer[i / 8] ^= (uint8_t)(1 << i % 8);
        ASSERT_FAILS(channel_read(plain, &said, &mine, answer, n));
        answer[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t k = 0; k < n; k++) ASSERT_FAILS(channel_read(plain, &said, &mine, answer, k));
    /* The answer to the same question, asked another time. */
    ask(request, &another, &p, "/status", "");
    ASSERT_CODE(channel_read(plain, &said, &another, answer, n), E_AUTH);
    /* The right key, and the hash of another request. */
    memcpy(another.key, mine.key, sizeof mine.key);
    ASSERT_CODE(channel_read(plain, &said, &another, answer, n), E_AUTH);
    ASSERT_OK(channel_read(plain, &said, &mine, answer, n));
}
END_TEST

/* A request given back as an answer, and an answer sent as a request, are neither. */
START_TEST(directions)
{
    struct pair p;
    uint8_t request[ROOM], answer[ROOM], plain[ROOM];
    CHANNEL_REPLY mine;
    struct channel_said said;
    struct channel_request q;
    pair_make(&p);
    size_t n = ask(request, &mine, &p, "/seal", "words of a client, long enough to be a whole head of a request and more");
    ASSERT_CODE(channel_read(plain, &said, &mine, request, n), E_FORMAT);
    memcpy(answer, "HFR1\xc8\x00\x01\x00", 8);   /* its ciphertext under an answer's head */
    memcpy(answer + CHANNEL_REPLY_HEAD, request + CHANNEL_HEAD + 5, n - CHANNEL_HEAD - 5);
    memset(answer + 8, 0, 12);
    ASSERT_CODE(channel_read(plain, &said, &mine, answer, CHANNEL_REPLY_HEAD + n - CHANNEL_HEAD - 5), E_AUTH);
    ASSERT_OK(channel_answer(answer, &mine, 200, CHANNEL_JSON, plain, 200));
    ASSERT_CODE(channel_parse(&q, answer, 200 + CHANNEL_REPLY_MORE), E_FORMAT);
}
END_TEST

START_TEST(forms)
{
    struct pair p;
    uint8_t request[ROOM];
    char path[CHANNEL_PATH_MAX + 2] = "";
    size_t n;
    CHANNEL_REPLY reply;
    struct channel_request r;
    pair_make(&p);
    memset(path, 'a', CHANNEL_PATH_MAX);
    path[0] = '/';
    struct channel_question q = { .boot = p.boot, .method = CHANNEL_GET, .path = path };
    ASSERT_OK(channel_ask(request, &n, &reply, p.key, &q));
    ASSERT_OK(channel_parse(&r, request, n));
    ck_assert_str_eq(r.path, path);
    const char *const wrong[] = { "", "a", "/ ", "/\x7f", "/\xc3\xa9", "/\n" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        q.path = wrong[i];
        ASSERT_CODE(channel_ask(request, &n, &reply, p.key, &q), E_FORMAT);
    }
    path[CHANNEL_PATH_MAX] = 'a';
    q.path = path;
    ASSERT_CODE(channel_ask(request, &n, &reply, p.key, &q), E_FORMAT);
    q.path = "/";
    q.method = (enum channel_method)3;
    ASSERT_CODE(channel_ask(request, &n, &reply, p.key, &q), E_FORMAT);
    q.method = CHANNEL_GET;
    const uint8_t no_key[32] = { 0 };
    ASSERT_CODE(channel_ask(request, &n, &reply, no_key, &q), E_FORMAT);
    ASSERT_CODE(channel_parse(&r, "", 0), E_FORMAT);
}
END_TEST

/* ---- the memory of requests ---- */

enum { W = 1000 };
static err take(struct replay *r, uint32_t which, uint64_t time_ms, uint64_t now_ms)
{
    uint8_t hash[32];
    sha256(hash, &which, sizeof which);
    return replay_take(r, hash, time_ms, now_ms);
}

START_TEST(replay_within_the_window)
{
    REPLAY r = NULL;
    ASSERT_OK(replay_open(&r, 100, W));
    ASSERT_OK(take(r, 1, 5000, 5000));
    ASSERT_CODE(take(r, 1, 5000, 5000), E_STATE);
    ASSERT_CODE(take(r, 1, 5001, 5900), E_STATE);
    ASSERT_OK(take(r, 2, 4000, 5000));
    ASSERT_OK(take(r, 3, 6000, 5000));
    ASSERT_CODE(take(r, 4, 3999, 5000), E_TIMEOUT);
    ASSERT_CODE(take(r, 4, 6001, 5000), E_TIMEOUT);
    ASSERT_CODE(take(r, 4, 0, 5000), E_TIMEOUT);
    ASSERT_CODE(take(r, 4, UINT64_MAX, 5000), E_TIMEOUT);
    ASSERT_OK(take(r, 4, 5000, 5000));       /* a refusal takes nothing */
}
END_TEST

/* Whatever the clock does, no id is taken twice with the time it bore. */
START_TEST(replay_whatever_the_clock_says)
{
    enum { IDS = 400, STEPS = 40000 };
    static uint64_t bore[IDS];
    static bool taken[IDS];
    REPLAY r = NULL;
    uint32_t seed = 12345, late = 0;
    uint64_t now = 1000000;
    ASSERT_OK(replay_open(&r, 4 * IDS, W));
    for (int i = 0; i < STEPS; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t dice = seed >> 8;
        if (dice % 50 == 0) now += dice % (5 * W);           /* jumps ahead, and back */
        else if (dice % 97 == 0) now -= dice % (5 * W);
        else now += dice % 7;
        uint32_t id = dice % IDS;
        if (!taken[id]) bore[id] = now + dice % (2 * W) - W;
        err e = take(r, id, bore[id], now);
        ck_assert_msg(!(taken[id] && e.code == E_OK), "id %u was taken twice, at step %d", id, i);
        ck_assert_int_ne(e.code, E_LIMIT);
        taken[id] = taken[id] || e.code == E_OK;
        late += e.code == E_TIMEOUT;
    }
    ck_assert_uint_gt(late, 100);
}
END_TEST

START_TEST(replay_is_bounded)
{
    REPLAY r = NULL;
    ASSERT_OK(replay_open(&r, 10, W));
    for (uint32_t i = 0; i < 10; i++) ASSERT_OK(take(r, i, 5000, 5000));
    ASSERT_CODE(take(r, 10, 5000, 5000), E_LIMIT);
    ASSERT_CODE(take(r, 3, 5000, 5000), E_STATE);
    ASSERT_OK(take(r, 10, 7000, 7000));      /* two windows later there is room */
    ASSERT_CODE(take(r, 10, 7000, 7000), E_STATE);
    ASSERT_CODE(take(r, 3, 5000, 7000), E_TIMEOUT);
    ASSERT_OK(take(r, 11, 9100, 9100));
    ASSERT_CODE(take(r, 12, 5000, 5900), E_TIMEOUT);   /* forgotten, and the clock went back */
}
END_TEST

static Suite *channel_suite(void)
{
    return CHECK_SUITE("channel", there_and_back, altered_requests, altered_answers, directions, forms,
                       replay_within_the_window, replay_whatever_the_clock_says, replay_is_bounded);
}

CHECK_MAIN(channel_suite)
