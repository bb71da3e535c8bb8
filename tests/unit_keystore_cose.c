/* unit_keystore_cose.c - ES384 signatures: Wycheproof's, and our own. */
#include <stdlib.h>
#include <string.h>

#include "keystore/cose.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

#define FILE_NAME "wycheproof/ecdsa_secp384r1_sha384_p1363_test.json"

/* A signature of another length than 96 cannot be handed over at all. */
START_TEST(wycheproof)
{
    json_t *file = vectors_json(FILE_NAME), *group, *test;
    size_t i, j, good = 0, bad = 0;
    json_array_foreach(json_object_get(file, "testGroups"), i, group) {
        size_t spki_len;
        uint8_t *spki = vectors_hex(group, "publicKeyDer", &spki_len);
        json_array_foreach(json_object_get(group, "tests"), j, test) {
            size_t sig_len, msg_len;
            uint8_t *sig = vectors_hex(test, "sig", &sig_len), *msg = vectors_hex(test, "msg", &msg_len);
            bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
            if (sig_len == COSE_SIG) {
                enum err_code code = cose_es384_verify(sig, spki, spki_len, msg, msg_len).code;
                ck_assert_msg(code == (valid ? E_OK : E_AUTH), "tcId %d: %s", (int)json_integer_value(json_object_get(test, "tcId")), err_text(code));
                good += valid;
                bad += !valid;
            } else {
                ck_assert(!valid);
            }
            free(sig), free(msg);
        }
        free(spki);
    }
    json_decref(file);
    ck_assert_uint_gt(good, 50);
    ck_assert_uint_gt(bad, 50);
}
END_TEST

START_TEST(keys_refused)
{
    json_t *file = vectors_json(FILE_NAME), *group = json_array_get(json_object_get(file, "testGroups"), 0);
    size_t n;
    uint8_t *spki = vectors_hex(group, "publicKeyDer", &n), sig[COSE_SIG] = { 1 };
    struct cose_sign1 c = { .protected_header = { "\xa1\x01\x38\x22", 4 }, .payload = { "", 0 }, .signature = sig };
    ck_assert(cose_is_p384(spki, n));
    ck_assert(!cose_is_p384(spki, n - 1));
    ASSERT_CODE(cose_verify(&c, spki, n - 1), E_FORMAT);
    for (size_t i = 0; i < 24; i++) {                        /* every byte of the fixed head */
        spki[i] ^= 1;
        ck_assert(!cose_is_p384(spki, n));
        ASSERT_CODE(cose_verify(&c, spki, n), E_FORMAT);
        spki[i] ^= 1;
    }
    spki[n - 1] ^= 1;                                        /* no point of the curve */
    ASSERT_CODE(cose_verify(&c, spki, n), E_FORMAT);
    memset(spki + 24, 0xff, 96);                             /* coordinates beyond the field */
    ASSERT_CODE(cose_verify(&c, spki, n), E_FORMAT);
    free(spki);
    json_decref(file);
}
END_TEST

static Suite *cose(void)
{
    return CHECK_SUITE("cose", wycheproof, keys_refused);
}

int main(void)
{
    vectors_need(FILE_NAME);
    return check_main((check_suite *const[]){ cose }, 1);
}
