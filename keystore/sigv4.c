/* sigv4.c - Signature Version 4 as text, then as HMACs. */
#include "keystore/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"

enum { CANONICAL_MAX = 24 << 10 };
static const char algorithm[] = "AWS4-HMAC-SHA256";

void sigv4_time(char out[static SIGV4_TIME], int64_t unix_seconds)
{
    time_t t = (time_t)unix_seconds;
    struct tm tm;
    MUST(gmtime_r(&t, &tm) != NULL && tm.tm_year >= -1900 && tm.tm_year < 8100);
    MUST(strftime(out, SIGV4_TIME, "%Y%m%dT%H%M%SZ", &tm) == SIGV4_TIME - 1);
}

static bool digits(int *out, const char *s, size_t n)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *out = *out * 10 + (s[i] - '0');
    }
    return true;
}

err sigv4_time_parse(int64_t *unix_seconds, const char *text)
{
    struct tm tm = { 0 };
    if (strlen(text) != SIGV4_TIME - 1 || text[8] != 'T' || text[15] != 'Z'
        || !digits(&tm.tm_year, text, 4) || !digits(&tm.tm_mon, text + 4, 2) || !digits(&tm.tm_mday, text + 6, 2)
        || !digits(&tm.tm_hour, text + 9, 2) || !digits(&tm.tm_min, text + 11, 2) || !digits(&tm.tm_sec, text + 13, 2)
        || tm.tm_year < 1970)
        FAIL(E_FORMAT, "not a time of the form YYYYMMDDTHHMMSSZ");
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t t = (int64_t)timegm(&tm);
    /* timegm() accepts the 31st of February; what it made of it is written back differently. */
    char again[SIGV4_TIME];
    sigv4_time(again, t);
    if (strcmp(again, text) != 0)
        FAIL(E_FORMAT, "no such date");
    *unix_seconds = t;
    return OK;
}

static void wr_hex(struct wr *w, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char two[3];
        hex_from(two, p + i, 1);
        wr_text(w, two);
    }
}

/* A header's value trimmed, its inner runs of spaces collapsed to one. */
static void wr_value(struct wr *w, const char *v)
{
    bool space = false, any = false;
    for (; *v; v++) {
        if (*v == ' ' || *v == '\t') {
            space = true;
            continue;
        }
        if (space && any)
            wr_u8(w, ' ');
        wr_u8(w, (uint8_t)*v);
        space = false;
        any = true;
    }
}

/* Indexes of the headers in the order of their names. */
static err sort_headers(uint8_t order[static SIGV4_HEADERS_MAX], const struct sigv4_request *q)
{
    if (q->header_count > SIGV4_HEADERS_MAX)
        FAIL(E_LIMIT, "%zu headers to sign; at most %d", q->header_count, SIGV4_HEADERS_MAX);
    for (size_t i = 0; i < q->header_count; i++) {
        size_t at = i;
        while (at > 0 && strcmp(q->headers[i].name, q->headers[order[at - 1]].name) < 0) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (uint8_t)i;
    }
    for (size_t i = 1; i < q->header_count; i++)
        if (strcmp(q->headers[order[i]].name, q->headers[order[i - 1]].name) == 0)
            FAIL(E_FORMAT, "header %s twice", q->headers[order[i]].name);
    return OK;
}

static void wr_signed_names(struct wr *w, const struct sigv4_request *q, const uint8_t *order)
{
    for (size_t i = 0; i < q->header_count; i++) {
        if (i > 0)
            wr_text(w, ";");
        wr_text(w, q->headers[order[i]].name);
    }
}

err sigv4_canonical(char *out, size_t cap, const struct sigv4_request *q)
{
    uint8_t order[SIGV4_HEADERS_MAX], hash[32];
    TRY(sort_headers(order, q));
    struct wr w = wr_of(out, cap);
    wr_text(&w, q->method);
    wr_text(&w, "\n");
    wr_text(&w, q->path);
    wr_text(&w, "\n");
    wr_text(&w, q->query);
    wr_text(&w, "\n");
    for (size_t i = 0; i < q->header_count; i++) {
        wr_text(&w, q->headers[order[i]].name);
        wr_text(&w, ":");
        wr_value(&w, q->headers[order[i]].value);
        wr_text(&w, "\n");
    }
    wr_text(&w, "\n");
    wr_signed_names(&w, q, order);
    wr_text(&w, "\n");
    sha256(hash, q->body, q->body_len);
    wr_hex(&w, hash, sizeof hash);
    wr_u8(&w, 0);
    return wr_end(&w, "canonical request");
}

static void wr_scope(struct wr *w, const struct sigv4_scope *s)
{
    wr_text(w, s->date);
    wr_text(w, "/");
    wr_text(w, s->region);
    wr_text(w, "/");
    wr_text(w, s->service);
    wr_text(w, "/aws4_request");
}

err sigv4_string_to_sign(char *out, size_t cap, const char *canonical, const char *time, const struct sigv4_scope *s)
{
    uint8_t hash[32];
    sha256(hash, canonical, strlen(canonical));
    struct wr w = wr_of(out, cap);
    wr_text(&w, algorithm);
    wr_text(&w, "\n");
    wr_text(&w, time);
    wr_text(&w, "\n");
    wr_scope(&w, s);
    wr_text(&w, "\n");
    wr_hex(&w, hash, sizeof hash);
    wr_u8(&w, 0);
    return wr_end(&w, "string to sign");
}

/* kSigning = HMAC(HMAC(HMAC(HMAC("AWS4" secret, date), region), service), "aws4_request"). */
static err signing_key(uint8_t key[static 32], const struct sigv4_scope *s, const char *secret_key)
{
    uint8_t start[4 + 256];
    struct wr w = wr_of(start, sizeof start);
    wr_text(&w, "AWS4");
    wr_text(&w, secret_key);
    err e = wr_end(&w, "secret access key");
    if (e.code == E_OK) {
        uint8_t a[32];
        hmac_sha256(a, start, w.len, s->date, strlen(s->date));
        hmac_sha256(key, a, sizeof a, s->region, strlen(s->region));
        hmac_sha256(a, key, sizeof a, s->service, strlen(s->service));
        hmac_sha256(key, a, sizeof a, "aws4_request", 12);
        mem_wipe(a, sizeof a);
    }
    mem_wipe(start, sizeof start);
    return e;
}

static err sign_text(char out[static SIGV4_HEX], const char *canonical, const char *time,
                     const struct sigv4_scope *s, const char *secret_key)
{
    char text[256];
    uint8_t key[32], mac[32];
    TRY(sigv4_string_to_sign(text, sizeof text, canonical, time, s));
    TRY(signing_key(key, s, secret_key));
    hmac_sha256(mac, key, sizeof key, text, strlen(text));
    mem_wipe(key, sizeof key);
    hex_from(out, mac, sizeof mac);
    return OK;
}

err sigv4_sign(char out[static SIGV4_HEX], const struct sigv4_request *q, const char *time,
               const struct sigv4_scope *s, const char *secret_key)
{
    uint8_t *room;
    TRY(mem_new(&room, CANONICAL_MAX));
    err e = sigv4_canonical((char *)room, CANONICAL_MAX, q);
    if (e.code == E_OK)
        e = sign_text(out, (char *)room, time, s, secret_key);
    mem_wipe(room, CANONICAL_MAX);               /* it holds the session token */
    mem_free_bytes(&room);
    return e;
}

err sigv4_authorization(char *out, size_t cap, const struct sigv4_request *q, const char *time,
                        const struct sigv4_scope *s, const char *access_key, const char *secret_key)
{
    char signature[SIGV4_HEX];
    uint8_t order[SIGV4_HEADERS_MAX];
    TRY(sort_headers(order, q));
    TRY(sigv4_sign(signature, q, time, s, secret_key));
    struct wr w = wr_of(out, cap);
    wr_text(&w, algorithm);
    wr_text(&w, " Credential=");
    wr_text(&w, access_key);
    wr_text(&w, "/");
    wr_scope(&w, s);
    wr_text(&w, ", SignedHeaders=");
    wr_signed_names(&w, q, order);
    wr_text(&w, ", Signature=");
    wr_text(&w, signature);
    wr_u8(&w, 0);
    return wr_end(&w, "Authorization header");
}

/* The characters up to any of `ends` (one of which must follow unless last) into out. */
static bool take_until(const char **at, char *out, size_t cap, const char *ends, bool last)
{
    size_t n = strcspn(*at, ends);
    char c = (*at)[n];
    if (n == 0 || n >= cap || (c == '\0') != last)
        return false;
    memcpy(out, *at, n);
    out[n] = '\0';
    *at += n + (last ? 0 : 1);
    return true;
}

static bool take_word(const char **at, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

/* Names must ascend: the signer sorted them, and so no name can come twice. */
static bool take_names(struct sigv4_claim *c, const char **at)
{
    for (;;) {
        char *name = c->signed_headers[c->signed_count];
        size_t n = strcspn(*at, ";,");
        if (n == 0 || n >= sizeof c->signed_headers[0] || (*at)[n] == '\0')
            return false;
        memcpy(name, *at, n);
        name[n] = '\0';
        if (c->signed_count > 0 && strcmp(c->signed_headers[c->signed_count - 1], name) >= 0)
            return false;
        c->signed_count++;
        *at += n + 1;
        if ((*at)[-1] == ',')
            return true;
        if (c->signed_count == SIGV4_HEADERS_MAX)
            return false;
    }
}

err sigv4_claim_parse(struct sigv4_claim *out, const char *authorization)
{
    struct sigv4_claim c = { 0 };
    const char *at = authorization;
    int date = 0;
    bool good = take_word(&at, algorithm) && take_word(&at, " Credential=")
        && take_until(&at, c.access_key, sizeof c.access_key, "/", false)
        && take_until(&at, c.scope.date, sizeof c.scope.date, "/", false)
        && digits(&date, c.scope.date, strlen(c.scope.date)) && strlen(c.scope.date) == 8
        && take_until(&at, c.scope.region, sizeof c.scope.region, "/", false)
        && take_until(&at, c.scope.service, sizeof c.scope.service, "/", false)
        && take_word(&at, "aws4_request,");
    if (good)
        at += strspn(at, " ");
    good = good && take_word(&at, "SignedHeaders=") && take_names(&c, &at);
    if (good)
        at += strspn(at, " ");
    good = good && take_word(&at, "Signature=") && strlen(at) == SIGV4_HEX - 1
        && strspn(at, "0123456789abcdef") == SIGV4_HEX - 1
        && take_until(&at, c.signature, sizeof c.signature, " ,", true);
    if (!good)
        FAIL(E_FORMAT, "not an AWS4-HMAC-SHA256 Authorization header");
    *out = c;
    return OK;
}
