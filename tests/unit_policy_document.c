/* The schema of what maintainers sign: what is taken, and each way of being refused. */
#include <stdio.h>
#include <string.h>

#include "tests/policy_case.h"
#include "tests/support/check_main.h"

static enum reason parsed(struct document *d, const char *text)
{
    enum reason why;
    err e = document_parse(d, &why, text, strlen(text));
    ck_assert_msg(!e.code == (why == REASON_NONE), "%s, %s", err_text(e.code), reason_name(why));
    return why;
}

static void refused(const char *text)
{
    struct document d;
    ck_assert_msg(parsed(&d, text) == REASON_FORM, "taken, or for another reason: %s", text);
}

static void taken(const char *text)
{
    struct document d;
    ck_assert_msg(parsed(&d, text) == REASON_NONE, "refused: %s", text);
}

static void good_of(char out[static DOCUMENT_ROOM], enum document_kind k)
{
    char release[DOCUMENT_ROOM];
    good_release(release);
    switch (k) {
    case DOCUMENT_POLICY: good_policy(out); break;
    case DOCUMENT_RELEASE: good_release(out); break;
    case DOCUMENT_VETO: good_veto(out, release); break;
    case DOCUMENT_PERMIT: good_permit(out); break;
    default: good_genesis(out);
    }
}

START_TEST(every_kind_is_read)
{
    char text[DOCUMENT_ROOM];
    uint8_t hash[32];
    struct document d;
    for (int k = 0; k < DOCUMENT_KINDS; k++) {
        good_of(text, (enum document_kind)k);
        ck_assert_int_eq(parsed(&d, text), REASON_NONE);
        ck_assert_int_eq(d.kind, k);
        sha256(hash, text, strlen(text));
        ck_assert_mem_eq(d.hash, hash, 32);
        ck_assert_str_eq(d.network, "signet");
    }
    good_policy(text);
    ck_assert_int_eq(parsed(&d, text), REASON_NONE);
    ck_assert(d.keys.count == 3 && d.keys.threshold == 2 && d.veto_keys.count == 1 && d.delay == 86400 && d.emergency_threshold == 3 && d.emergency_delay == 3600);
    ck_assert(d.keys.one[0].kind == MAINTAINER_SSH && d.keys.one[1].kind == MAINTAINER_SK && d.keys.one[2].kind == MAINTAINER_NOSTR);
    ck_assert_str_eq(d.keys.one[1].application, "ssh:");
    good_release(text);
    ck_assert_int_eq(parsed(&d, text), REASON_NONE);
    ck_assert(d.sequence == 7 && d.min_generation == 3 && d.not_before == 1000 && d.expires == 2000 && d.pcr[2][0] == 0x01 && d.pcr[2][47] == 0xef && !d.has_pcr8);
    ck_assert_str_eq(d.label, "Holdfast 0.2");
}
END_TEST

/* No text that is cut short, and none with one byte more behind it, is a document. */
START_TEST(only_whole_documents)
{
    char text[DOCUMENT_ROOM], more[DOCUMENT_ROOM + 2];
    struct document d;
    enum reason why;
    for (int k = 0; k < DOCUMENT_KINDS; k++) {
        good_of(text, (enum document_kind)k);
        const size_t n = strlen(text);
        for (size_t i = 0; i < n && text[i + 1]; i++) ck_assert(document_parse(&d, &why, text, i).code == E_FORMAT);
        snprintf(more, sizeof more, "%s}", text);
        refused(more);
        snprintf(more, sizeof more, "%s \r\n\t", text);
        taken(more);
    }
    ck_assert(document_parse(&d, &why, "", 0).code == E_FORMAT && why == REASON_FORM);
}
END_TEST

START_TEST(too_large)
{
    static char text[DOCUMENT_MAX + 2];
    struct document d;
    enum reason why;
    good_release(text);
    const size_t n = strlen(text);
    memset(text + n, ' ', sizeof text - n);
    ASSERT_OK(document_parse(&d, &why, text, DOCUMENT_MAX));
    ASSERT_CODE(document_parse(&d, &why, text, DOCUMENT_MAX + 1), E_LIMIT);
}
END_TEST

START_TEST(unknown_format)
{
    char text[DOCUMENT_ROOM];
    struct document d;
    for (int k = 0; k < DOCUMENT_KINDS; k++) {
        good_of(text, (enum document_kind)k);
        const char *other = strstr(text, "\"format\": 1") ? with(text, "\"format\": 1", "\"format\": 2") : with(text, "\"format\":1", "\"format\":2");
        ck_assert_int_eq(parsed(&d, other), REASON_UNKNOWN_FORMAT);
    }
    good_release(text);
    ck_assert_int_eq(parsed(&d, with(text, "\"format\":1,", "\"format\":2,\"more\":[{}],")), REASON_UNKNOWN_FORMAT);
    refused(with(text, "\"format\":1", "\"format\":\"1\""));
    refused(with(text, "\"format\":1,", ""));
    refused(with(text, "holdfast-release", "holdfast-lease"));
    refused(with(text, "\"type\":\"holdfast-release\",\"format\":1", "\"format\":1,\"type\":\"holdfast-release\""));
}
END_TEST

START_TEST(members_each_once)
{
    char text[DOCUMENT_ROOM];
    good_release(text);
    refused(with(text, "\"sequence\":7", "\"sequence\":7,\"sequence\":7"));
    refused(with(text, "\"sequence\":7", "\"sequence\":7,\"more\":1"));
    refused(with(text, "\"sequence\":7,", ""));
    refused(with(text, "\"sequence\":7", "\"Sequence\":7"));
    refused(with(text, "\"sequence\":7", "\"generation\":7"));       /* a permit's */
    refused(with(text, "\"pcr8\":null", "\"pcr8\":null,\"type\":\"holdfast-release\""));
    refused(with(text, "}", ",}"));
    taken(with(text, "\"sequence\":7,\"policy_version\":1", "\"policy_version\":1,\"sequence\":7"));
}
END_TEST

START_TEST(numbers_are_whole_and_bounded)
{
    char text[DOCUMENT_ROOM];
    static const char *const bad[] = { "07", "-7", "+7", "7.0", "7e0", "0x7", "\"7\"", "null", "", "9007199254740992", "99999999999999999999999", "true", "0", "[7]" };
    good_release(text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char to[80];
        snprintf(to, sizeof to, "\"sequence\":%s,", bad[i]);
        refused(with(text, "\"sequence\":7,", to));
    }
    taken(with(text, "\"sequence\":7,", "\"sequence\":9007199254740991,"));
    taken(with(text, "\"min_generation\":3", "\"min_generation\":0"));
    refused(with(text, "\"expires\":2000", "\"expires\":999"));
    refused(with(text, "\"expires\":2000", "\"expires\":253402300800"));
    taken(with(text, "\"expires\":2000", "\"expires\":1000"));
    refused(with(text, "\"emergency\":false", "\"emergency\":0"));
}
END_TEST

START_TEST(texts_are_plain)
{
    char text[DOCUMENT_ROOM], longest[200];
    good_release(text);
    refused(with(text, "Holdfast 0.2", "Holdfast\\u00200.2"));
    refused(with(text, "Holdfast 0.2", "Holdfast\n0.2"));
    refused(with(text, "Holdfast 0.2", "Holdf\xc3\xa4st"));
    refused(with(text, "Holdfast 0.2", ""));
    snprintf(longest, sizeof longest, "%064d", 0);
    taken(with(text, "Holdfast 0.2", longest));
    snprintf(longest, sizeof longest, "%065d", 0);
    refused(with(text, "Holdfast 0.2", longest));
    refused(with(text, "\"signet\"", "\"moon\""));
    refused(with(text, SERVICE_HEX, "5E5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"));
    refused(with(text, "0123456789abcdef01234567\"", "0123456789abcdef0123456\""));
    taken(with(text, "\"0123456789abcdef0123456789abcdef01234567\"", "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""));
}
END_TEST

START_TEST(pcr_all_zero)
{
    char text[DOCUMENT_ROOM], zero[97], from[120], to[120];
    good_release(text);
    memset(zero, '0', 96);
    zero[96] = 0;
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(text, (const char *const[]){ "\"pcr0\":\"", "\"pcr1\":\"", "\"pcr2\":\"" }[i]);
        snprintf(from, sizeof from, "%.*s", 104, at);
        snprintf(to, sizeof to, "%.8s%s", at, zero);
        refused(with(text, from, to));
    }
    snprintf(to, sizeof to, "\"pcr8\":\"%s\"", zero);
    refused(with(text, "\"pcr8\":null", to));
    to[8] = '1';
    taken(with(text, "\"pcr8\":null", to));
    refused(with(text, "\"pcr0\":\"", "\"pcr0\":null,\"x\":\""));
}
END_TEST

START_TEST(pcr_of_another_length)
{
    char text[DOCUMENT_ROOM];
    good_release(text);
    refused(with(text, "\"pcr0\":\"01", "\"pcr0\":\""));             /* 47 bytes */
    refused(with(text, "\"pcr0\":\"01", "\"pcr0\":\"0101"));         /* 49 */
    refused(with(text, "\"pcr0\":\"01", "\"pcr0\":\"0"));            /* half a byte short */
    refused(with(text, "\"pcr1\":\"0123456789abcdef0123456789abcdef", "\"pcr1\":\""));     /* 32: SHA-256 */
    refused(with(text, "\"pcr2\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "\"pcr2\":\""));
    refused(with(text, "\"pcr0\":\"01", "\"pcr0\":\"0A"));
}
END_TEST

START_TEST(a_policy_agrees_with_itself)
{
    char text[DOCUMENT_ROOM], key[MAINTAINER_TEXT], to[MAINTAINER_TEXT + 40];
    good_policy(text);
    refused(with(text, "\"threshold\": 2", "\"threshold\": 4"));
    refused(with(text, "\"threshold\": 2", "\"threshold\": 0"));
    refused(with(text, "\"veto_threshold\": 1", "\"veto_threshold\": 2"));
    refused(with(text, "\"version\": 1", "\"version\": 2"));          /* and no previous */
    refused(with(text, "\"emergency_threshold\": 3", "\"emergency_threshold\": null"));
    refused(with(text, "\"emergency_threshold\": 3", "\"emergency_threshold\": 4"));
    refused(with(text, "\"emergency_threshold\": 3", "\"emergency_threshold\": 1"));
    refused(with(text, "\"emergency_delay\": 3600", "\"emergency_delay\": 86401"));
    refused(with(text, "\"emergency_delay\": 3600", "\"emergency_delay\": null"));
    taken(with(with(text, "\"emergency_delay\": 3600", "\"emergency_delay\": null"), "\"emergency_threshold\": 3", "\"emergency_threshold\": null"));
    taken(with(text, "\"emergency_delay\": 3600", "\"emergency_delay\": 0"));
    refused(with(text, "\"name\":\"b\"", "\"name\":\"a\""));
    person_text(key, 0, MAINTAINER_SSH);
    snprintf(to, sizeof to, "\"revoked_keys\": [\"%s\"]", key);
    refused(with(text, "\"revoked_keys\": []", to));
    person_text(key, 5, MAINTAINER_SSH);
    snprintf(to, sizeof to, "\"revoked_keys\": [\"%s\"]", key);
    taken(with(text, "\"revoked_keys\": []", to));
    taken(with(text, "\"revoked_releases\": []", "\"revoked_releases\": [ \"" SERVICE_HEX "\" ,\"" SERVICE_HEX "\"]"));
    refused(with(text, "\"revoked_releases\": []", "\"revoked_releases\": [\"5e\"]"));
    refused(with(text, "\"keys\": [{\"name\":\"a\",", "\"keys\": [{\"nick\":\"a\","));
    refused(with(text, "{\"name\":\"v\",", "{\"name\":\"v\",\"x\":1,"));
}
END_TEST

/* One key, listed as two signers: under two names, or as a key in software and one in hardware. */
START_TEST(one_key_is_listed_once)
{
    char text[DOCUMENT_ROOM], a[MAINTAINER_TEXT], b[MAINTAINER_TEXT];
    struct maintainer m;
    good_policy(text);
    person_text(a, 0, MAINTAINER_SSH);
    person_text(b, 1, MAINTAINER_SK);
    refused(with(text, b, a));
    person_key(&m, 0, MAINTAINER_SSH);
    m.kind = MAINTAINER_SK;
    strcpy(m.application, "ssh:");
    struct wr w = wr_of(b, sizeof b - 1);
    maintainer_write(&w, &m);
    b[w.len] = 0;
    person_text(a, 1, MAINTAINER_SK);
    refused(with(text, a, b));
}
END_TEST

START_TEST(keys_that_nobody_holds)
{
    struct maintainer m;
    char text[MAINTAINER_TEXT];
    static const uint8_t identity[32] = { 1 };
    person_key(&m, 0, MAINTAINER_SSH);
    memcpy(m.key, identity, 32);
    struct wr w = wr_of(text, sizeof text);
    maintainer_write(&w, &m);
    ASSERT_CODE(maintainer_parse(&m, text, w.len), E_FORMAT);
    static const char zero[] = "nostr 0000000000000000000000000000000000000000000000000000000000000000";
    ASSERT_CODE(maintainer_parse(&m, zero, sizeof zero - 1), E_FORMAT);
    ASSERT_CODE(maintainer_parse(&m, "ssh-rsa AAAA", 12), E_FORMAT);
    person_text(text, 0, MAINTAINER_SSH);
    ASSERT_OK(maintainer_parse(&m, text, strlen(text)));
    ASSERT_CODE(maintainer_parse(&m, text, strlen(text) - 4), E_FORMAT);
    char comment[MAINTAINER_TEXT + 32];
    snprintf(comment, sizeof comment, "%s me@x", text);
    ASSERT_CODE(maintainer_parse(&m, comment, strlen(comment)), E_FORMAT);
    snprintf(comment, sizeof comment, "sk-ssh-ed25519@openssh.com%s", text + strlen("ssh-ed25519"));
    ASSERT_CODE(maintainer_parse(&m, comment, strlen(comment)), E_FORMAT);
}
END_TEST

START_TEST(every_reason_has_words)
{
    for (int i = 0; i < REASONS; i++) {
        ck_assert_msg(reason_name((enum reason)i) && reason_text((enum reason)i) && strlen(reason_text((enum reason)i)) > 10, "reason %d", i);
        for (int k = 0; k < i; k++)
            ck_assert(strcmp(reason_name((enum reason)i), reason_name((enum reason)k)) != 0 && strcmp(reason_text((enum reason)i), reason_text((enum reason)k)) != 0);
    }
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("document", every_kind_is_read, only_whole_documents, too_large, unknown_format, members_each_once, numbers_are_whole_and_bounded,
                       texts_are_plain, pcr_all_zero, pcr_of_another_length, a_policy_agrees_with_itself, one_key_is_listed_once, keys_that_nobody_holds,
                       every_reason_has_words);
}

CHECK_MAIN(suite)
