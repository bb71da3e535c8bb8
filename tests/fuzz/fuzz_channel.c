/* What strangers send to the channel, what a relay answers in its place, and times in any order
 * to the memory of requests. The first byte chooses. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "keystore/channel.h"
#include "keystore/replay.h"
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

/* The service's key is 32 bytes of 0x11 (seeds_channel.py). */
static void request(const uint8_t *p, size_t n)
{
    static const uint8_t zero[32];
    uint8_t key[HPKE_SECRET];
    struct channel_request q;
    CHANNEL_REPLY reply;
    if (channel_parse(&q, p, n).code) return;
    MUST(q.head_len + q.sealed_len == n && q.head_len == CHANNEL_HEAD + strlen(q.path) && q.path[0] == '/');
    fuzz_reached("channel.head");
    memset(key, 0x11, sizeof key);
    uint8_t *plain = malloc(q.sealed_len - HPKE_TAG + 1);
    MUST(plain);
    err e = channel_open(&reply, plain, &q, key);
    MUST(e.code == E_OK || e.code == E_AUTH);
    if (!e.code) fuzz_reached("channel");
    else MUST(memcmp(reply.key, zero, 32) == 0);
    free(plain);
}

/* An answer under the key of bytes 0x22, to the request whose hash is bytes 0x33. What opens must be
 * what the enclave's half makes of it, but for the nonce. */
static void answer(const uint8_t *p, size_t n)
{
    struct channel_reply reply;
    struct channel_said said;
    memset(reply.key, 0x22, sizeof reply.key);
    memset(reply.request_hash, 0x33, sizeof reply.request_hash);
    uint8_t *plain = malloc(n + 1), *again = malloc(n + 1);
    MUST(plain && again);
    if (channel_read(plain, &said, &reply, p, n).code == E_OK) {
        fuzz_reached("channel.answer");
        MUST(channel_answer(again, &reply, said.status, said.kind, plain, n - CHANNEL_REPLY_MORE).code == E_OK);
        MUST(memcmp(again, p, 8) == 0);
        MUST(channel_read(plain, &said, &reply, again, n).code == E_OK);
    }
    free(plain);
    free(again);
}

/* Each step: which of 256 messages, and how the clock moves. None is taken twice. */
static void replays(const uint8_t *p, size_t n)
{
    enum { WINDOW = 64 };
    uint64_t bore[256] = { 0 }, now = 1u << 20;
    bool taken[256] = { false };
    REPLAY memory = NULL;
    struct rd r = rd_of(p, n);
    MUST(replay_open(&memory, 200, WINDOW).code == E_OK);
    while (r.left >= 3) {
        unsigned which = rd_u8(&r);
        now += (uint64_t)(int64_t)(int8_t)rd_u8(&r);
        uint64_t time = now + (uint64_t)(int64_t)(int8_t)rd_u8(&r);
        uint8_t id[16] = { (uint8_t)which, 1 };
        err e = replay_take(memory, id, taken[which] ? bore[which] : time, now);
        if (e.code) continue;
        MUST(!taken[which]);
        taken[which] = true;
        bore[which] = time;
        fuzz_reached("channel.taken");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    if (data[0] % 3 == 0) request(data + 1, n - 1);
    else if (data[0] % 3 == 1) answer(data + 1, n - 1);
    else replays(data + 1, n - 1);
    return 0;
}
