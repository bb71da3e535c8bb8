#include "policy/note.h"

#include <string.h>

#include "core/hash.h"

enum { DASH_LEN = 4, BASE64_MAX = 8192, DECODED_MAX = BASE64_MAX / 4 * 3 };
static const char dash[] = "\xe2\x80\x94 ";      /* U+2014, space */

/* ---- UTF-8 ---- */

/* Read one code point. Returns its length, 0 when it is not UTF-8 (RFC 3629: shortest form, no surrogates). */
static size_t code_point(uint32_t *out, const uint8_t *p, size_t n)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (len == 0 || len > n) return 0;
    *out = len == 1 ? p[0] : p[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2) return 0;
        *out = *out << 6 | (p[i] & 0x3f);
    }
    if (*out < least[len] || *out > 0x10ffff || (*out >= 0xd800 && *out <= 0xdfff)) return 0;
    return len;
}

/* White_Space of the Unicode character database. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a)
        || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool note_name_ok(const char *name, size_t n)
{
    uint32_t c = 0;
    if (n == 0 || n > NOTE_NAME) return false;
    for (size_t i = 0, len; i < n; i += len) {
        len = code_point(&c, (const uint8_t *)name + i, n - i);
        if (len == 0 || c < 0x20 || c == '+' || is_space(c)) return false;
    }
    return true;
}

static bool is_text(const char *p, size_t n)
{
    uint32_t c = 0;
    for (size_t i = 0, len; i < n; i += len) {
        len = code_point(&c, (const uint8_t *)p + i, n - i);
        if (len == 0 || (c < 0x20 && c != '\n')) return false;
    }
    return true;
}

/* ---- notes ---- */

/* One line, without its newline. */
static err parse_signature(struct note_signature *s, const char *p, size_t n)
{
    uint8_t bytes[DECODED_MAX];
    size_t len = 0;
    if (n < DASH_LEN || memcmp(p, dash, DASH_LEN) != 0) FAIL(E_FORMAT, "note: a signature line without its dash");
    p += DASH_LEN;
    n -= DASH_LEN;
    const char *space = memchr(p, ' ', n);
    if (!space || !note_name_ok(p, (size_t)(space - p))) FAIL(E_FORMAT, "note: a signature line without a key name");
    memset(s, 0, sizeof *s);
    s->name = p;
    s->name_len = (size_t)(space - p);
    n -= s->name_len + 1;
    if (n > BASE64_MAX) FAIL(E_LIMIT, "note: a signature of %zu characters", n);
    TRY(base64_to(bytes, sizeof bytes, &len, space + 1, n));
    if (len <= 4) FAIL(E_FORMAT, "note: an empty signature");
    struct rd r = rd_of(bytes, len);
    s->key_id = rd_u32be(&r);
    s->n = r.left;
    if (s->n <= NOTE_SIGNATURE) rd_copy(&r, s->bytes, s->n);
    return OK;
}

/* The text ends at the last empty line. Returns its length with its own newline; 0: there is none. */
static size_t text_end(const char *p, size_t n)
{
    for (size_t i = n; i >= 2; i--)
        if (p[i - 1] == '\n' && p[i - 2] == '\n') return i - 1;
    return 0;
}

err note_parse(struct note *out, const char *p, size_t n)
{
    if (n > NOTE_MAX) FAIL(E_LIMIT, "note: %zu bytes", n);
    if (!is_text(p, n)) FAIL(E_FORMAT, "note: not UTF-8, or a control character");
    out->text = p;
    out->text_len = text_end(p, n);
    out->count = 0;
    if (out->text_len == 0) FAIL(E_FORMAT, "note: no empty line above the signatures");
    size_t at = out->text_len + 1;
    if (at == n) FAIL(E_FORMAT, "note: no signature");
    while (at < n) {
        const char *end = memchr(p + at, '\n', n - at);
        if (!end) FAIL(E_FORMAT, "note: the last line does not end");
        if (out->count == NOTE_SIGNATURES) FAIL(E_LIMIT, "note: more than %d signatures", NOTE_SIGNATURES);
        TRY(parse_signature(&out->signatures[out->count], p + at, (size_t)(end - p) - at));
        out->count++;
        at = (size_t)(end - p) + 1;
    }
    return OK;
}

void note_write_signature(struct wr *w, const struct note_key *k, const uint8_t *signature, size_t n)
{
    uint8_t bytes[4 + NOTE_SIGNATURE];
    char text[(4 + NOTE_SIGNATURE + 2) / 3 * 4 + 1];
    struct wr b = wr_of(bytes, sizeof bytes);
    MUST(n > 0 && n <= NOTE_SIGNATURE);
    wr_u32be(&b, k->id);
    wr_bytes(&b, signature, n);
    base64_from(text, bytes, b.len);
    wr_text(w, dash);
    wr_text(w, k->name);
    wr_text(w, " ");
    wr_text(w, text);
    wr_text(w, "\n");
}

/* ---- keys ---- */

uint32_t note_key_id(const char *name, uint8_t type, const uint8_t key[static 32])
{
    const struct bytes pieces[] = { { name, strlen(name) }, { "\n", 1 }, { &type, 1 }, { key, 32 } };
    uint8_t sum[32];
    sha256_of(sum, pieces, sizeof pieces / sizeof *pieces);
    struct rd r = rd_of(sum, sizeof sum);
    return rd_u32be(&r);
}

err note_key_make(struct note_key *out, const char *name, uint8_t type, const uint8_t key[static 32])
{
    const size_t n = strlen(name);
    if (!note_name_ok(name, n)) FAIL(E_FORMAT, "note: this cannot name a key");
    memset(out, 0, sizeof *out);
    memcpy(out->name, name, n);
    memcpy(out->key, key, 32);
    out->type = type;
    out->id = note_key_id(out->name, type, key);
    return OK;
}

err note_key_parse(struct note_key *out, const char *p, size_t n)
{
    char name[NOTE_NAME + 1] = { 0 };
    uint8_t id[4], bytes[33];
    size_t len = 0;
    const char *plus = memchr(p, '+', n);
    if (!plus || plus - p > NOTE_NAME || n - (size_t)(plus - p) < 10 || plus[9] != '+') FAIL(E_FORMAT, "note: not a verifier key");
    memcpy(name, p, (size_t)(plus - p));
    if (strlen(name) != (size_t)(plus - p)) FAIL(E_FORMAT, "note: this cannot name a key");
    TRY(hex_to(id, sizeof id, plus + 1, 8));
    TRY(base64_to(bytes, sizeof bytes, &len, plus + 10, n - (size_t)(plus - p) - 10));
    if (len != sizeof bytes || (bytes[0] != NOTE_ED25519 && bytes[0] != NOTE_COSIGNATURE))
        FAIL(E_FORMAT, "note: the verifier key is none of Ed25519");
    TRY(note_key_make(out, name, bytes[0], bytes + 1));
    struct rd r = rd_of(id, sizeof id);
    if (rd_u32be(&r) != out->id) FAIL(E_FORMAT, "note: the id of the verifier key is another key's");
    return OK;
}

void note_key_write(struct wr *w, const struct note_key *k)
{
    uint8_t bytes[33] = { k->type }, id[4];
    char hex[9], text[45];
    struct wr b = wr_of(id, sizeof id);
    wr_u32be(&b, k->id);
    hex_from(hex, id, sizeof id);
    memcpy(bytes + 1, k->key, 32);
    base64_from(text, bytes, sizeof bytes);
    wr_text(w, k->name);
    wr_text(w, "+");
    wr_text(w, hex);
    wr_text(w, "+");
    wr_text(w, text);
}

bool note_key_is(const struct note_key *k, const struct note_signature *s)
{
    return s->key_id == k->id && strlen(k->name) == s->name_len && memcmp(k->name, s->name, s->name_len) == 0;
}
