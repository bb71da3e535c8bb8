/* Hashes against their standards' own examples. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

static const char abc448[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

#define SAME(out, hex) \
    do { \
        uint8_t want_[sizeof(out)]; \
        hex_must(want_, sizeof want_, (hex)); \
        ck_assert_mem_eq((out), want_, sizeof want_); \
    } while (0)

/* FIPS 180-2, appendices A to D; the empty message from NIST's CAVS files. */
START_TEST(sha2_of_the_standard)
{
    uint8_t s256[32], s384[48], s512[64];
    sha256(s256, "abc", 3);
    SAME(s256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(s256, abc448, strlen(abc448));
    SAME(s256, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    sha256(s256, NULL, 0);
    SAME(s256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha384(s384, "abc", 3);
    SAME(s384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
               "8086072ba1e7cc2358baeca134c825a7");
    sha384(s384, NULL, 0);
    SAME(s384, "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
               "274edebfe76f65fbd51ad2f14898b95b");
    sha512(s512, "abc", 3);
    SAME(s512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    sha512(s512, NULL, 0);
    SAME(s512, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
               "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}
END_TEST

/* FIPS 180-2 B.3 and kin: one million times 'a', in one piece and in parts. */
START_TEST(sha256_of_a_million)
{
    uint8_t one[32], parts[32];
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    sha256(one, a, 1000000);
    SAME(one, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    struct sha256_run *r = NULL;
    ASSERT_OK(sha256_begin(&r));
    size_t done = 0;
    for (size_t step = 0; done < 1000000; step++) {
        size_t n = step % 130 < 1000000 - done ? step % 130 : 1000000 - done;
        sha256_add(r, a + done, n);
        done += n;
    }
    sha256_end(&r, parts);
    ck_assert_ptr_null(r);
    ck_assert_mem_eq(one, parts, 32);
    ASSERT_OK(sha256_begin(&r));
    sha256_drop(&r);
    ck_assert_ptr_null(r);
    free(a);
}
END_TEST

/* FIPS 180-2 D.3 for the whole; parts of every size must come to the same. */
START_TEST(sha384_of_a_million)
{
    uint8_t one[48], parts[48];
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    sha384(one, a, 1000000);
    SAME(one, "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b"
              "07b8b3dc38ecc4ebae97ddd87f3d8985");
    struct sha384_run *r = NULL;
    ASSERT_OK(sha384_begin(&r));
    size_t done = 0;
    for (size_t step = 0; done < 1000000; step++) {
        size_t n = step % 260 < 1000000 - done ? step % 260 : 1000000 - done;
        sha384_add(r, a + done, n);
        done += n;
    }
    sha384_end(&r, parts);
    ck_assert_ptr_null(r);
    ck_assert_mem_eq(one, parts, 48);
    ASSERT_OK(sha384_begin(&r));
    sha384_drop(&r);
    ck_assert_ptr_null(r);
    free(a);
}
END_TEST

/* FIPS 180-1 A and B; the RIPEMD-160 page's examples. */
START_TEST(old_hashes_of_their_standards)
{
    uint8_t h[20];
    sha1(h, "abc", 3);
    SAME(h, "a9993e364706816aba3e25717850c26c9cd0d89d");
    sha1(h, abc448, strlen(abc448));
    SAME(h, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    sha1(h, NULL, 0);
    SAME(h, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    ripemd160(h, "abc", 3);
    SAME(h, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");
    ripemd160(h, abc448, strlen(abc448));
    SAME(h, "12a053384a9c0c88e405a06c27dcf49ada62eb2b");
    ripemd160(h, NULL, 0);
    SAME(h, "9c1185a5c5e9fc54612808977ee8f548b2258d31");
}
END_TEST

START_TEST(pieces_are_one_message)
{
    uint8_t whole[32], pieces[32];
    sha256(whole, abc448, strlen(abc448));
    for (size_t cut = 0; cut <= strlen(abc448); cut++) {
        sha256_of(pieces, (struct bytes[]){ { abc448, cut }, { NULL, 0 }, { abc448 + cut, strlen(abc448) - cut } }, 3);
        ck_assert_mem_eq(whole, pieces, 32);
    }
    sha256_of(pieces, NULL, 0);
    sha256(whole, "", 0);
    ck_assert_mem_eq(whole, pieces, 32);
}
END_TEST

/* The genesis block's header and its hash (byte-reversed as Bitcoin shows it). */
START_TEST(double_sha256_of_the_genesis_block)
{
    uint8_t header[80], h[32];
    hex_must(header, sizeof header,
             "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e"
             "67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c");
    sha256d(h, header, sizeof header);
    SAME(h, "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000");
}
END_TEST

/* BIP340's definition, written out with plain hashes. */
START_TEST(tagged_hash_is_as_defined)
{
    static const char tag[] = "BIP0340/challenge";
    uint8_t t[32], want[32], got[32];
    sha256(t, tag, strlen(tag));
    sha256_of(want, (struct bytes[]){ { t, 32 }, { t, 32 }, { "message", 7 } }, 3);
    tagged_hash(got, tag, (struct bytes[]){ { "mess", 4 }, { NULL, 0 }, { "age", 3 } }, 3);
    ck_assert_mem_eq(want, got, 32);
    tagged_hash(got, "BIP0340/nonce", (struct bytes[]){ { "message", 7 } }, 1);
    ck_assert(memcmp(want, got, 32) != 0);
}
END_TEST

/* RFC 4231: key, data, HMAC-SHA-256, HMAC-SHA-512. */
START_TEST(hmac_of_the_rfc)
{
    uint8_t key[131], data[256], h256[32], h512[64];
    memset(key, 0x0b, 20);
    hmac_sha256(h256, key, 20, "Hi There", 8);
    SAME(h256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha512(h512, key, 20, "Hi There", 8);
    SAME(h512, "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
               "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
    hmac_sha256(h256, "Jefe", 4, "what do ya want for nothing?", 28);
    SAME(h256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha512(h512, "Jefe", 4, "what do ya want for nothing?", 28);
    SAME(h512, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
               "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    memset(key, 0xaa, 131);
    memcpy(data, "Test Using Larger Than Block-Size Key - Hash Key First", 54);
    hmac_sha256(h256, key, 131, data, 54);
    SAME(h256, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_sha512(h512, key, 131, data, 54);
    SAME(h512, "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
               "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
    hmac_sha256(h256, NULL, 0, NULL, 0);
    SAME(h256, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}
END_TEST

START_TEST(random_bytes_differ_and_fill)
{
    uint8_t a[1000] = { 0 }, b[1000] = { 0 };
    ASSERT_OK(random_bytes(a, sizeof a));
    ASSERT_OK(random_bytes(b, sizeof b));
    ck_assert(memcmp(a, b, sizeof a) != 0);
    unsigned values = 0;
    uint8_t seen[256] = { 0 };
    for (size_t i = 0; i < sizeof a; i++)
        values += !seen[a[i]]++;
    /* 251 of 256 are expected; under 200 is beyond any chance. */
    ck_assert_uint_gt(values, 200);
    ck_assert_int_ne(bytes_equal(a + 992, "\0\0\0\0\0\0\0\0", 8), 1);
    ASSERT_OK(random_bytes(a, 0));
}
END_TEST

START_TEST(equality_sees_every_bit)
{
    uint8_t a[40], b[40];
    memset(a, 0x5a, sizeof a);
    memcpy(b, a, sizeof b);
    ck_assert(bytes_equal(a, b, sizeof a));
    ck_assert(bytes_equal(a, b, 0));
    for (size_t bit = 0; bit < sizeof b * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert(!bytes_equal(a, b, sizeof a));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/hash", sha2_of_the_standard, sha256_of_a_million, sha384_of_a_million, old_hashes_of_their_standards,
                       pieces_are_one_message, double_sha256_of_the_genesis_block, tagged_hash_is_as_defined,
                       hmac_of_the_rfc, random_bytes_differ_and_fill, equality_sees_every_bit);
}

CHECK_MAIN(suite)
