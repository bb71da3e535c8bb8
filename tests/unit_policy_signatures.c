/* SSHSIG and Nostr events: what verifies, and each way of not verifying. The makers are in policy_case.c, written apart from the readers. */
#include <stdio.h>
#include <string.h>

#include "policy/nostr.h"
#include "policy/sshsig.h"
#include "tests/policy_case.h"
#include "tests/support/check_main.h"

#define SPACE "holdfast-release@holdfast"

static const char *ssh(const char *text, size_t n, const char *document)
{
    struct sshsig s;
    uint8_t h256[32], h512[64];
    const char *why = sshsig_parse(&s, text, n);
    if (why) return why;
    sha256(h256, document, strlen(document));
    sha512(h512, document, strlen(document));
    ASSERT_OK(sshsig_check(&why, &s, SPACE, &(struct sshsig_message){ h256, h512 }));
    return why;
}

static const char *made(int n, enum maintainer_kind kind, const char *document, const struct odd *odd)
{
    char text[SIGNATURE_ROOM];
    struct bytes b = person_sshsig(text, n, kind, document, odd);
    return ssh(b.p, b.n, document);
}

static void says(const char *why, const char *part)
{
    ck_assert_msg(why && strstr(why, part), "%s, not: %s", why ? why : "good", part);
}

START_TEST(ssh_good)
{
    char document[DOCUMENT_ROOM];
    good_release(document);
    ck_assert_ptr_null(made(0, MAINTAINER_SSH, document, NULL));
    ck_assert_ptr_null(made(0, MAINTAINER_SK, document, NULL));
    ck_assert_ptr_null(made(1, MAINTAINER_SSH, document, &(struct odd){ .sha256 = true }));
    ck_assert_ptr_null(made(1, MAINTAINER_SK, document, &(struct odd){ .sha256 = true }));
    ck_assert_ptr_null(made(1, MAINTAINER_SK, document, &(struct odd){ .application = "ssh:work" }));
}
END_TEST

START_TEST(ssh_refused)
{
    char document[DOCUMENT_ROOM];
    good_release(document);
    says(made(0, MAINTAINER_SSH, document, &(struct odd){ .name_space = "file" }), "namespace");
    says(made(0, MAINTAINER_SSH, document, &(struct odd){ .name_space = "holdfast-policy@holdfast" }), "namespace");
    says(made(0, MAINTAINER_SK, document, &(struct odd){ .no_touch = true }), "did not ask");
    says(made(0, MAINTAINER_SSH, document, &(struct odd){ .reserved = true }), "too short");
    says(made(0, MAINTAINER_SK, document, &(struct odd){ .application = "" }), "application");
    char text[SIGNATURE_ROOM];
    struct bytes b = person_sshsig(text, 0, MAINTAINER_SSH, document, NULL);
    says(ssh(b.p, b.n, with(document, "Holdfast 0.2", "Holdfast 0.3")), "does not verify");
}
END_TEST

/* Every flipped bit of the base64, every cut: never good, but for the line ends that mean nothing. */
START_TEST(ssh_edited)
{
    char document[DOCUMENT_ROOM], text[SIGNATURE_ROOM + 8];
    good_release(document);
    for (enum maintainer_kind k = MAINTAINER_SSH; k <= MAINTAINER_SK; k++) {
        struct bytes b = person_sshsig(text, 0, k, document, NULL);
        for (size_t i = 0; i < b.n; i++) {
            if (text[i] == '\n') continue;
            text[i] ^= 1;
            ck_assert_msg(ssh(text, b.n, document) != NULL, "byte %zu flipped", i);
            text[i] ^= 1;
        }
        for (size_t i = 0; i + 1 < b.n; i++) ck_assert_msg(ssh(text, i, document) != NULL, "cut at %zu", i);
        ck_assert_ptr_null(ssh(text, b.n - 1, document));            /* no newline at its end */
        strcpy(text + b.n, "x");
        says(ssh(text, b.n + 1, document), "follows");
    }
}
END_TEST

static const char *nostr(const char *text, size_t n, const char *document)
{
    struct nostr_event e;
    char content[NOSTR_CONTENT + 1];
    uint8_t hash[32];
    const char *why = nostr_parse(&e, text, n);
    if (why) return why;
    sha256(hash, document, strlen(document));
    nostr_content(content, "holdfast-release", hash);
    return nostr_check(&e, 8731, content);
}

START_TEST(nostr_good_and_refused)
{
    char document[DOCUMENT_ROOM], text[SIGNATURE_ROOM];
    good_release(document);
    struct bytes b = person_nostr(text, 0, document, NULL);
    ck_assert_ptr_null(nostr(b.p, b.n, document));
    says(nostr(b.p, b.n, with(document, "Holdfast 0.2", "Holdfast 0.3")), "does not name");
    b = person_nostr(text, 0, document, &(struct odd){ .event = 8730 });
    says(nostr(b.p, b.n, document), "event kind");
    b = person_nostr(text, 0, document, &(struct odd){ .event = 1 });
    says(nostr(b.p, b.n, document), "event kind");
    b = person_nostr(text, 0, document, &(struct odd){ .content = "holdfast-release" });
    says(nostr(b.p, b.n, document), "does not name");
}
END_TEST

/* Each member counts: whatever is changed, the event is no longer what was signed. */
START_TEST(nostr_edited)
{
    char document[DOCUMENT_ROOM], text[SIGNATURE_ROOM];
    good_release(document);
    struct bytes b = person_nostr(text, 0, document, NULL);
    says(nostr(with(text, "1234", "1235"), b.n, document), "id");
    says(nostr(with(text, "\"client\"", "\"cliens\""), b.n, document), "id");
    const char *one = with(text, "\"sig\":", "\"sig\": ");
    ck_assert_ptr_null(nostr(one, strlen(one), document));
    one = with(text, "\"kind\": 8731", "\"kind\": 8731, \"kind\": 8731");
    says(nostr(one, strlen(one), document), "twice");
    one = with(text, "\"kind\": 8731", "\"kind\": 8731, \"ots\": \"x\"");
    says(nostr(one, strlen(one), document), "unknown");
    one = with(text, "\"created_at\":1234,", "");
    says(nostr(one, strlen(one), document), "missing");
    one = with(text, "8731", "65536");
    ck_assert_ptr_nonnull(nostr(one, strlen(one), document));
    char *sig = strstr(text, "\"sig\":\"") + 7;
    *sig = *sig == '0' ? '1' : '0';
    says(nostr(text, b.n, document), "does not verify");
    for (size_t i = 0; i + 1 < b.n; i++) ck_assert_ptr_nonnull(nostr(text, i, document));
}
END_TEST

/* An event as nostr-tools of npm made it (finalizeEvent), with its secret key of 32 bytes 0x42. */
START_TEST(nostr_of_others)
{
    static const char event[] = "{\"kind\":8731,\"created_at\":1790000000,\"tags\":[[\"client\",\"x\"]],\"content\":\"holdfast-release e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"pubkey\":\"24653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c\",\"id\":\"a88e51f17c9e83484fff52490b21765f1a3213402e1a861e6c90cf15eb69d2bf\",\"sig\":\"c9f41092edc3227811fc9046c2fdd01fb795f54464d7949e2c0cf29801b459f1562f0dfa606ef952f17675f26f83ed2fd40b72a8a9559c79524e9977c3ebc506\"}";
    struct nostr_event e;
    const char *why = nostr_parse(&e, event, sizeof event - 1);
    ck_assert_msg(!why, "%s", why);
    why = nostr_check(&e, 8731, "holdfast-release e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ck_assert_msg(!why, "%s", why);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("signatures", ssh_good, ssh_refused, ssh_edited, nostr_good_and_refused, nostr_edited, nostr_of_others);
}

CHECK_MAIN(suite)
