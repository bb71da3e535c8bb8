#include "policy/maintainer.h"

#include <string.h>

#include "policy/signature.h"

#define SSH "ssh-ed25519"
#define SK "sk-ssh-ed25519@openssh.com"
#define NOSTR "nostr"
enum { BLOB = 192 };

const uint8_t *ssh_string(struct rd *r, size_t *n)
{
    *n = rd_u32be(r);
    const uint8_t *p = rd_bytes(r, *n);
    if (!p) *n = 0;
    return p;
}

void ssh_expect(struct rd *r, const char *text)
{
    size_t n = 0;
    const uint8_t *p = ssh_string(r, &n);
    if (!p || !text_is((struct text){ (const char *)p, n }, text)) r->bad = true;
}

static bool plain(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] <= 0x20 || p[i] > 0x7e || p[i] == '"' || p[i] == '\\') return false;
    return true;
}

const char *maintainer_blob(struct maintainer *out, const uint8_t *p, size_t n)
{
    struct rd r = rd_of(p, n);
    size_t len = 0, app_len = 0;
    const uint8_t *kind = ssh_string(&r, &len);
    const bool sk = kind && text_is((struct text){ (const char *)kind, len }, SK);
    if (!sk && !(kind && text_is((struct text){ (const char *)kind, len }, SSH))) return "only " SSH " and " SK " are taken of SSH's keys";
    const uint8_t *key = ssh_string(&r, &len);
    const uint8_t *app = sk ? ssh_string(&r, &app_len) : (const uint8_t *)"";
    if (!rd_ok(&r) || r.left) return "an SSH key is too short or too long";
    if (len != 32) return "an Ed25519 key has 32 bytes";
    if (app_len > MAINTAINER_APPLICATION || (sk && !app_len) || !plain(app, app_len)) return "an application is empty, too long or not plain";
    out->kind = sk ? MAINTAINER_SK : MAINTAINER_SSH;
    memcpy(out->key, key, 32);
    memset(out->application, 0, sizeof out->application);
    memcpy(out->application, app, app_len);
    return NULL;
}

/* The key behind the kind's name and a space; NULL when the text does not begin so. */
static const char *behind(const char *p, size_t n, const char *kind)
{
    const size_t k = strlen(kind);
    return n > k && memcmp(p, kind, k) == 0 && p[k] == ' ' ? p + k + 1 : NULL;
}

err maintainer_parse(struct maintainer *out, const char *p, size_t n)
{
    uint8_t blob[BLOB];
    size_t len = 0;
    const char *nostr = behind(p, n, NOSTR), *ssh = behind(p, n, SSH), *sk = behind(p, n, SK);
    if (nostr) {
        if (!text_hex((struct text){ nostr, n - (size_t)(nostr - p) }, out->key, 32) || !bip340_key_ok(out->key))
            FAIL(E_FORMAT, "key: " NOSTR " takes 64 lower-case hex digits of a BIP340 public key (not npub)");
        out->kind = MAINTAINER_NOSTR;
        memset(out->application, 0, sizeof out->application);
        return OK;
    }
    const char *text = sk ? sk : ssh;
    if (!text) FAIL(E_FORMAT, "key: neither `" SSH " ...`, `" SK " ...` nor `" NOSTR " HEX`");
    TRY(base64_to(blob, sizeof blob, &len, text, n - (size_t)(text - p)));
    const char *why = maintainer_blob(out, blob, len);
    if (why) FAIL(E_FORMAT, "key: %s", why);
    if ((out->kind == MAINTAINER_SK) != (sk != NULL)) FAIL(E_FORMAT, "key: its name and its bytes are of two kinds");
    if (!ed25519_key_ok(out->key)) FAIL(E_FORMAT, "key: a point of small order, for which anybody can sign");
    return OK;
}

static void wr_string(struct wr *w, const void *p, size_t n)
{
    wr_u32be(w, (uint32_t)n);
    wr_bytes(w, p, n);
}

void maintainer_write(struct wr *w, const struct maintainer *m)
{
    char text[BLOB / 3 * 4 + 8];
    uint8_t blob[BLOB];
    struct wr b = wr_of(blob, sizeof blob);
    if (m->kind == MAINTAINER_NOSTR) {
        hex_from(text, m->key, 32);
        wr_text(w, NOSTR " ");
        wr_text(w, text);
        return;
    }
    const char *kind = m->kind == MAINTAINER_SK ? SK : SSH;
    wr_string(&b, kind, strlen(kind));
    wr_string(&b, m->key, 32);
    if (m->kind == MAINTAINER_SK) wr_string(&b, m->application, strlen(m->application));
    MUST(!b.full);
    base64_from(text, blob, b.len);
    wr_text(w, kind);
    wr_text(w, " ");
    wr_text(w, text);
}

bool maintainer_same(const struct maintainer *a, const struct maintainer *b)
{
    return a->kind == b->kind && memcmp(a->key, b->key, sizeof a->key) == 0;
}

int maintainers_find(const struct maintainers *set, const struct maintainer *m)
{
    for (size_t i = 0; i < set->count; i++)
        if (maintainer_same(&set->one[i], m)) return (int)i;
    return -1;
}

err maintainers_add(struct maintainers *set, const struct maintainer *m)
{
    if (set->count == MAINTAINERS_MAX) FAIL(E_LIMIT, "more than %d keys", MAINTAINERS_MAX);
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(set->one[i].key, m->key, sizeof m->key) == 0) FAIL(E_FORMAT, "%s and %s have one key: nobody counts twice", set->one[i].name, m->name);
        if (strcmp(set->one[i].name, m->name) == 0) FAIL(E_FORMAT, "two keys are called %s", m->name);
    }
    set->one[set->count++] = *m;
    return OK;
}
