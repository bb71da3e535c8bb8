/* buf.c - bounded reading and writing, and the two text forms of bytes. */
#include "core/buf.h"

#include <string.h>

struct rd rd_of(const void *p, size_t n)
{
    MUST(p != NULL || n == 0);
    /* An empty reader still has a place, so that a read of 0 bytes is not NULL. */
    return (struct rd){ .p = p ? p : (const void *)"", .left = n, .bad = false };
}

const uint8_t *rd_bytes(struct rd *r, size_t n)
{
    if (r->bad || n > r->left) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->p;
    r->p += n;
    r->left -= n;
    return at;
}

void rd_copy(struct rd *r, void *out, size_t n)
{
    const uint8_t *at = rd_bytes(r, n);
    if (n == 0)
        return;
    if (at)
        memcpy(out, at, n);
    else
        memset(out, 0, n);
}

uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 1);
    return p ? p[0] : 0;
}

/* Integers are put together byte by byte: no alignment, no host byte order. */
static uint64_t rd_le(struct rd *r, size_t n)
{
    const uint8_t *p = rd_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = n; p && i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

static uint64_t rd_be(struct rd *r, size_t n)
{
    const uint8_t *p = rd_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

uint16_t rd_u16(struct rd *r) { return (uint16_t)rd_le(r, 2); }
uint32_t rd_u32(struct rd *r) { return (uint32_t)rd_le(r, 4); }
uint64_t rd_u64(struct rd *r) { return rd_le(r, 8); }
uint16_t rd_u16be(struct rd *r) { return (uint16_t)rd_be(r, 2); }
uint32_t rd_u32be(struct rd *r) { return (uint32_t)rd_be(r, 4); }
uint64_t rd_u64be(struct rd *r) { return rd_be(r, 8); }

const uint8_t *rd_var(struct rd *r, size_t max, size_t *n)
{
    *n = 0;
    uint32_t len = rd_u32(r);
    if (r->bad || len > max) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = rd_bytes(r, len);
    if (p)
        *n = len;
    return p;
}

struct rd rd_sub(struct rd *r, size_t n)
{
    const uint8_t *p = rd_bytes(r, n);
    if (p)
        return rd_of(p, n);
    struct rd none = rd_of(NULL, 0);
    none.bad = true;
    return none;
}

bool rd_ok(const struct rd *r)
{
    return !r->bad;
}

err rd_end(const struct rd *r, const char *what)
{
    if (r->bad)
        FAIL(E_FORMAT, "%s is too short or a length in it is out of bounds", what);
    if (r->left > 0)
        FAIL(E_FORMAT, "%s has %zu bytes too many", what, r->left);
    return OK;
}

struct wr wr_of(void *p, size_t cap)
{
    MUST(p != NULL || cap == 0);
    return (struct wr){ .p = p ? p : (void *)"", .cap = cap, .len = 0, .full = false };
}

uint8_t *wr_room(struct wr *w, size_t n)
{
    if (w->full || n > w->cap - w->len) {
        w->full = true;
        return NULL;
    }
    uint8_t *at = w->p + w->len;
    w->len += n;
    return at;
}

void wr_bytes(struct wr *w, const void *p, size_t n)
{
    uint8_t *at = wr_room(w, n);
    if (at && n > 0)
        memcpy(at, p, n);
}

static void wr_le(struct wr *w, uint64_t v, size_t n)
{
    uint8_t *at = wr_room(w, n);
    for (size_t i = 0; at && i < n; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static void wr_be(struct wr *w, uint64_t v, size_t n)
{
    uint8_t *at = wr_room(w, n);
    for (size_t i = 0; at && i < n; i++)
        at[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void wr_u8(struct wr *w, uint8_t v) { wr_le(w, v, 1); }
void wr_u16(struct wr *w, uint16_t v) { wr_le(w, v, 2); }
void wr_u32(struct wr *w, uint32_t v) { wr_le(w, v, 4); }
void wr_u64(struct wr *w, uint64_t v) { wr_le(w, v, 8); }
void wr_u16be(struct wr *w, uint16_t v) { wr_be(w, v, 2); }
void wr_u32be(struct wr *w, uint32_t v) { wr_be(w, v, 4); }
void wr_u64be(struct wr *w, uint64_t v) { wr_be(w, v, 8); }

void wr_var(struct wr *w, const void *p, size_t n)
{
    if (n > UINT32_MAX) {
        w->full = true;
        return;
    }
    wr_u32(w, (uint32_t)n);
    wr_bytes(w, p, n);
}

void wr_text(struct wr *w, const char *s)
{
    wr_bytes(w, s, strlen(s));
}

err wr_end(const struct wr *w, const char *what)
{
    if (w->full)
        FAIL(E_LIMIT, "%s does not fit in %zu bytes", what, w->cap);
    return OK;
}

void hex_from(char *out, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

err hex_to(void *out, size_t n, const char *hex, size_t hex_len)
{
    uint8_t *to = out;
    if (hex_len % 2 != 0 || hex_len / 2 != n)
        FAIL(E_FORMAT, "hex text has %zu digits where %zu bytes are wanted", hex_len, n);
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            if (n > 0)
                memset(to, 0, n);
            FAIL(E_FORMAT, "hex text has a character that is no digit near place %zu", 2 * i);
        }
        to[i] = (uint8_t)(hi << 4 | lo);
    }
    return OK;
}

size_t base64_size(size_t n)
{
    MUST(n <= (SIZE_MAX - 8) / 4 * 3);
    return (n / 3 + (n % 3 != 0)) * 4 + 1;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_from(char *out, const void *p, size_t n)
{
    const uint8_t *in = p;
    while (n > 0) {
        size_t take = n < 3 ? n : 3;
        uint32_t v = (uint32_t)in[0] << 16;
        if (take > 1)
            v |= (uint32_t)in[1] << 8;
        if (take > 2)
            v |= in[2];
        *out++ = base64_digits[v >> 18 & 63];
        *out++ = base64_digits[v >> 12 & 63];
        *out++ = take > 1 ? base64_digits[v >> 6 & 63] : '=';
        *out++ = take > 2 ? base64_digits[v & 63] : '=';
        in += take;
        n -= take;
    }
    *out = '\0';
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters to `have` bytes (1..3). False for a foreign character, and for
 * bits set beyond the last byte: such a text has a second spelling. */
static bool base64_group(uint8_t out[3], const char *text, size_t have)
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i <= have ? base64_digit(text[i]) : 0;
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
    }
    out[0] = (uint8_t)(v >> 16);
    out[1] = (uint8_t)(v >> 8);
    out[2] = (uint8_t)v;
    return !(have == 1 && (v & 0xffff)) && !(have == 2 && (v & 0xff));
}

static size_t base64_holds(const char *text, size_t text_len)
{
    size_t pad = text_len == 0 || text[text_len - 1] != '=' ? 0 : text[text_len - 2] != '=' ? 1 : 2;
    return text_len / 4 * 3 - pad;
}

bool base64_read(void *out, size_t cap, size_t *n, const char *text, size_t text_len)
{
    *n = 0;
    if (text_len % 4 != 0)
        return false;
    size_t size = base64_holds(text, text_len);
    if (size > cap)
        return false;

    uint8_t *to = out;
    for (size_t at = 0; at < text_len; at += 4) {
        size_t have = at + 4 == text_len ? size - at / 4 * 3 : 3;
        uint8_t group[3];
        if (!base64_group(group, text + at, have)) {
            memset(out, 0, size);
            return false;
        }
        memcpy(to, group, have);
        to += have;
    }
    *n = size;
    return true;
}

err base64_to(void *out, size_t cap, size_t *n, const char *text, size_t text_len)
{
    if (base64_read(out, cap, n, text, text_len))
        return OK;
    if (text_len % 4 == 0 && base64_holds(text, text_len) > cap)
        FAIL(E_LIMIT, "base64 text holds %zu bytes where at most %zu fit", base64_holds(text, text_len), cap);
    FAIL(E_FORMAT, "base64 text of %zu characters is not padded or not canonical", text_len);
}
