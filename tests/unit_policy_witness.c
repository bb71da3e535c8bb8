/* add-checkpoint, status by status. The log of a test has the leaves "0", "1", …, and signs with RFC 8032's TEST 1. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "policy/cosign.h"
#include "policy/witness.h"
#include "support/check_main.h"

enum { LEAVES = 9 };

static err node_of(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index)
{
    uint8_t right[TLOG_HASH];
    const char leaf = (char)('0' + index);
    if (level == 0) {
        tlog_leaf(out, &leaf, 1);
        return OK;
    }
    TRY(node_of(self, out, level - 1, 2 * index));
    TRY(node_of(self, right, level - 1, 2 * index + 1));
    tlog_join(out, out, right);
    return OK;
}

static EVP_PKEY *secret_of(uint8_t first)
{
    uint8_t seed[32] = { first };
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    ck_assert_ptr_nonnull(k);
    return k;
}

static err sign(void *self, uint8_t out[static 64], const void *message, size_t n)
{
    size_t len = 64;
    EVP_PKEY *k = secret_of(*(const uint8_t *)self);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    ck_assert(c && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 && EVP_DigestSign(c, out, &len, message, n) == 1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(k);
    return OK;
}

static struct note_key key_of(uint8_t first)
{
    uint8_t public_key[32];
    size_t len = 32;
    struct note_key out;
    EVP_PKEY *k = secret_of(first);
    ck_assert(EVP_PKEY_get_raw_public_key(k, public_key, &len) == 1);
    EVP_PKEY_free(k);
    ASSERT_OK(note_key_make(&out, "log.example", NOTE_ED25519, public_key));
    return out;
}

static struct checkpoint tree_of(uint64_t size)
{
    struct checkpoint c = { .origin = "log.example", .size = size };
    struct tlog t = { 0 };
    for (uint64_t i = 0; i < size; i++) {
        uint8_t leaf[TLOG_HASH];
        ASSERT_OK(node_of(NULL, leaf, 0, i));
        ASSERT_OK(tlog_append(&t, leaf));
    }
    tlog_root(c.root, &t);
    return c;
}

struct ask { uint64_t old; struct checkpoint c; struct tlog_path proof; uint8_t signer; char text[8192]; size_t len; };

static struct ask ask_of(uint64_t old, uint64_t size)
{
    const struct tlog_store s = { NULL, node_of };
    struct ask a = { .old = old, .c = tree_of(size), .signer = 1 };
    if (old <= size) ASSERT_OK(tlog_prove_growth(&a.proof, &s, old, size));
    return a;
}

static void render(struct ask *a)
{
    const struct note_key k = key_of(a->signer);
    const struct cosign_key holder = { &a->signer, sign };
    char line[64];
    uint8_t body[CHECKPOINT_TEXT];
    struct wr w = wr_of(a->text, sizeof a->text), b = wr_of(body, sizeof body);
    snprintf(line, sizeof line, "old %" PRIu64 "\n", a->old);
    wr_text(&w, line);
    for (size_t i = 0; i < a->proof.n; i++) {
        base64_from(line, a->proof.hash[i], TLOG_HASH);
        wr_text(&w, line);
        wr_text(&w, "\n");
    }
    wr_text(&w, "\n");
    checkpoint_write(&b, &a->c);
    wr_bytes(&w, body, b.len);
    wr_text(&w, "\n");
    ASSERT_OK(cosign_write(&w, &k, &holder, 0, (const char *)body, b.len));
    a->len = w.len;
}

/* What a witness that has cosigned `known` answers; `known` moves when it says 200. */
static int answer(struct witness_state *known, struct ask *a)
{
    static struct witness_request r;
    const struct note_key keys[] = { key_of(9), key_of(1) };
    struct witness_state next;
    int status = 0;
    render(a);
    ASSERT_OK(witness_parse(&r, a->text, a->len));
    ASSERT_OK(witness_decide(&status, &next, &r, known, keys, 2));
    if (status != 200) ck_assert(next.size == known->size && memcmp(next.root, known->root, TLOG_HASH) == 0);
    *known = next;
    return status;
}

START_TEST(every_step_forward_is_taken)
{
    for (uint64_t old = 0; old <= LEAVES; old++)
        for (uint64_t size = old; size <= LEAVES; size++) {
            struct witness_state known = { .size = old };
            const struct checkpoint before = tree_of(old);
            struct ask a = ask_of(old, size);
            if (old) memcpy(known.root, before.root, TLOG_HASH);
            ck_assert_int_eq(answer(&known, &a), 200);
            ck_assert_uint_eq(known.size, size);
            ck_assert_mem_eq(known.root, a.c.root, TLOG_HASH);
        }
}
END_TEST

START_TEST(no_step_back_and_no_fork)
{
    struct witness_state known = { 0 };
    struct ask a = ask_of(0, 5), again = ask_of(5, 5), older = ask_of(3, 5), first = ask_of(0, 3), shrunk = ask_of(5, 4), fork = ask_of(5, 8);
    ck_assert_int_eq(answer(&known, &a), 200);
    ck_assert_int_eq(answer(&known, &a), 409);           /* the same again: its old size is past */
    ck_assert_int_eq(answer(&known, &again), 200);
    ck_assert_int_eq(answer(&known, &older), 409);
    ck_assert_int_eq(answer(&known, &first), 409);       /* the rollback */
    ck_assert_int_eq(answer(&known, &shrunk), 400);
    again.c.root[0] ^= 1;
    ck_assert_int_eq(answer(&known, &again), 409);       /* another tree of this size */
    fork.c.root[0] ^= 1;
    ck_assert_int_eq(answer(&known, &fork), 422);
    fork.c.root[0] ^= 1;
    fork.proof.hash[0][0] ^= 1;
    ck_assert_int_eq(answer(&known, &fork), 422);
    fork.proof.n = 0;
    ck_assert_int_eq(answer(&known, &fork), 422);
    again = ask_of(5, 5);
    again.proof.n = 1;
    ck_assert_int_eq(answer(&known, &again), 422);
    struct witness_state none = { 0 };
    first.proof.n = 1;
    ck_assert_int_eq(answer(&none, &first), 422);        /* from nothing there is nothing to prove */
    ck_assert_uint_eq(known.size, 5);
}
END_TEST

START_TEST(strangers_learn_nothing)
{
    static struct witness_request r;
    struct witness_state known = { .size = 7 }, next;
    struct ask a = ask_of(0, 3), shrunk = ask_of(5, 4);
    int status = 0;
    a.signer = shrunk.signer = 2;
    ck_assert_int_eq(answer(&known, &a), 403);
    ck_assert_int_eq(answer(&known, &shrunk), 403);
    ASSERT_OK(witness_parse(&r, a.text, a.len));
    ASSERT_OK(witness_decide(&status, &next, &r, &known, NULL, 0));
    ck_assert_int_eq(status, 404);
    /* The right key's name over another's signature. */
    a.signer = 1;
    render(&a);
    ASSERT_OK(witness_parse(&r, a.text, a.len));
    r.note.signatures[0].bytes[0] ^= 1;
    const struct note_key k = key_of(1);
    ASSERT_OK(witness_decide(&status, &next, &r, &known, &k, 1));
    ck_assert_int_eq(status, 403);
}
END_TEST

START_TEST(malformed_requests_are_refused)
{
    static struct witness_request r;
    static const char *const heads[] = { "", "old\n", "old \n", "old 05\n", "old -1\n", "old  5\n", "Old 5\n", "old 5 \n", "old 5\r\n", "5\n",
                                         "old 18446744073709551616\n", "old 5\nAAAA\n", "old 5\n \n" };
    struct ask a = ask_of(5, 8);
    char text[9000];
    render(&a);
    const char *rest = strchr(a.text, '\n') + 1;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        const int n = snprintf(text, sizeof text, "%s%.*s", heads[i], (int)(a.len - (size_t)(rest - a.text)), rest);
        ck_assert_msg(witness_parse(&r, text, (size_t)n).code == E_FORMAT, "request %zu was not refused", i);
    }
    for (size_t n = 0; n < a.len; n++) ASSERT_CODE(witness_parse(&r, a.text, n), E_FORMAT);
    a.proof.n = TLOG_PATH_MAX;
    render(&a);
    ASSERT_OK(witness_parse(&r, a.text, a.len));
    const size_t head = (size_t)(strchr(a.text, '\n') + 1 - a.text);
    memcpy(text, a.text, head + 45);                     /* one hash more */
    memcpy(text + head + 45, a.text + head, a.len - head);
    ASSERT_CODE(witness_parse(&r, text, a.len + 45), E_LIMIT);
    ASSERT_CODE(witness_parse(&r, text, WITNESS_REQUEST_MAX + 1), E_LIMIT);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("policy witness", every_step_forward_is_taken, no_step_back_and_no_fork, strangers_learn_nothing, malformed_requests_are_refused);
}

CHECK_MAIN(suite)
