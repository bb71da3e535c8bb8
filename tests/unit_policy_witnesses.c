/* Trust policy files: the example of the specification, every subset of its witnesses, and what is refused. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "policy/cosign.h"
#include "policy/witnesses.h"
#include "support/check_main.h"

static const char *key_text(const char *name, uint8_t type, uint8_t first)
{
    static char text[8][200];
    static unsigned at;
    const uint8_t key[32] = { first };
    struct note_key k;
    char *out = text[at++ % 8];
    ASSERT_OK(note_key_make(&k, name, type, key));
    struct wr w = wr_of(out, 199);
    note_key_write(&w, &k);
    out[w.len] = '\0';
    return out;
}

static size_t example(char *out, size_t cap, const char *tail)
{
    return (size_t)snprintf(out, cap, "# two levels\n\nlog %s\n witness\tX1 %s\nwitness X2 %s https://x2.example/\nwitness X3 %s\n"
        "group X-witnesses 2 X1 X2 X3\nwitness Y1 %s\nwitness Y2 %s\ngroup Y-witnesses any Y1 Y2\n%s",
        key_text("log.example", 1, 1), key_text("x1", 4, 1), key_text("x2", 4, 2), key_text("x3", 4, 3), key_text("y1", 4, 4), key_text("y2", 4, 5), tail);
}

START_TEST(the_quorum_of_every_subset)
{
    static struct witnesses w;
    static const size_t place[] = { 0, 1, 2, 4, 5 };     /* groups stand at 3, 6, 7 */
    char text[2000];
    ASSERT_OK(witnesses_parse(&w, text, example(text, sizeof text, "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n")));
    ck_assert_uint_eq(w.log_count, 1);
    ck_assert_uint_eq(w.name_count, 8);
    ck_assert_str_eq(w.names[1].url, "https://x2.example/");
    for (unsigned set = 0; set < 32; set++) {
        bool seen[WITNESSES_NAMES] = { false };
        const unsigned x = (set & 1) + (set >> 1 & 1) + (set >> 2 & 1);
        for (unsigned i = 0; i < 5; i++) seen[place[i]] = set >> i & 1;
        ck_assert_int_eq(witnesses_enough(&w, seen), x >= 2 && set >> 3);
    }
    const bool nobody[WITNESSES_NAMES] = { false };
    ASSERT_OK(witnesses_parse(&w, text, example(text, sizeof text, "quorum none\n")));
    ck_assert(witnesses_enough(&w, nobody));
}
END_TEST

START_TEST(bad_policies_are_refused)
{
    static struct witnesses w;
    static const char *const tails[] = {
        "", "quorum\n", "quorum Z\n", "quorum X1\nquorum X1\n", "quorum X1", "quorum X1 X2\n", "group Z 3 Y-witnesses X-witnesses\nquorum Z\n",
        "group Z 0 X-witnesses\nquorum Z\n", "group Z all X1\nquorum Z\n", "group Z any Z\nquorum Z\n", "group Z any\nquorum X1\n", "group none any X-witnesses\nquorum none\n",
        "group X1 any X-witnesses\nquorum X1\n", "group Z any X-witnesses X-witnesses\nquorum Z\n", "quorum X1\r\n", "what X1\nquorum X1\n",
        "witness Z x\nquorum X1\n", "log\nquorum X1\n", "group Z any none\nquorum Z\n", "group Z 01 X-witnesses\nquorum Z\n",
    };
    char text[2000], tail[400];
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        ck_assert_msg(witnesses_parse(&w, text, example(text, sizeof text, tails[i])).code == E_FORMAT, "policy %zu was not refused", i);
    snprintf(tail, sizeof tail, "witness Z %s\nquorum X1\n", key_text("other", 4, 3));       /* X3's key under another name */
    ASSERT_CODE(witnesses_parse(&w, text, example(text, sizeof text, tail)), E_FORMAT);
    snprintf(tail, sizeof tail, "witness Z %s\nquorum X1\n", key_text("other", 1, 9));
    ASSERT_CODE(witnesses_parse(&w, text, example(text, sizeof text, tail)), E_FORMAT);
    snprintf(tail, sizeof tail, "log %s\nquorum X1\n", key_text("other", 1, 1));
    ASSERT_CODE(witnesses_parse(&w, text, example(text, sizeof text, tail)), E_FORMAT);
    snprintf(tail, sizeof tail, "witness Z %s\nquorum Z\n", key_text("other", 4, 9));
    ASSERT_OK(witnesses_parse(&w, text, example(text, sizeof text, tail)));
}
END_TEST

static err sign(void *self, uint8_t out[static 64], const void *message, size_t n)
{
    size_t len = 64;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    ck_assert(c && EVP_DigestSignInit(c, NULL, NULL, NULL, self) == 1 && EVP_DigestSign(c, out, &len, message, n) == 1);
    EVP_MD_CTX_free(c);
    return OK;
}

START_TEST(cosignatures_of_a_note_are_counted)
{
    static const uint8_t seed[32] = { 7 };
    static struct witnesses w;
    static struct note n;
    char text[2000], vkey[200], note[1000];
    uint8_t public_key[32];
    size_t len = 32;
    struct note_key k;
    bool enough = true;
    EVP_PKEY *secret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    ck_assert(secret && EVP_PKEY_get_raw_public_key(secret, public_key, &len) == 1);
    ASSERT_OK(note_key_make(&k, "w.example", NOTE_COSIGNATURE, public_key));
    struct wr v = wr_of(vkey, sizeof vkey - 1), b = wr_of(note, sizeof note);
    note_key_write(&v, &k);
    vkey[v.len] = '\0';
    const int size = snprintf(text, sizeof text, "witness A %s\nwitness B %s\ngroup G any A B\nquorum G\n", vkey, key_text("b", 4, 1));
    ASSERT_OK(witnesses_parse(&w, text, (size_t)size));
    const struct cosign_key holder = { secret, sign };
    wr_text(&b, "text\n\n");
    note_write_signature(&b, &w.names[1].key, public_key, 32);      /* B's is junk, and blocks nothing */
    ASSERT_OK(note_parse(&n, note, b.len));
    ASSERT_OK(witnesses_check(&enough, &w, &n));
    ck_assert(!enough);
    ASSERT_OK(cosign_write(&b, &k, &holder, 5, "text\n", 5));
    ASSERT_OK(note_parse(&n, note, b.len));
    ASSERT_OK(witnesses_check(&enough, &w, &n));
    ck_assert(enough);
    EVP_PKEY_free(secret);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("policy witnesses", the_quorum_of_every_subset, bad_policies_are_refused, cosignatures_of_a_note_are_counted);
}

CHECK_MAIN(suite)
