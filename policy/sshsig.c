#include "policy/sshsig.h"

#include <string.h>

#include "core/hash.h"
#include "policy/signature.h"

#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define MAGIC "SSHSIG"
enum { BLOB = SSHSIG_MAX / 4 * 3, USER_PRESENT = 0x01, SIGNED_MAX = 256 };

bool sshsig_is(const char *p, size_t n) { return n >= sizeof BEGIN - 1 && memcmp(p, BEGIN, sizeof BEGIN - 1) == 0; }

/* One line without its end (LF or CR LF), which the last one may lack. */
static struct text line(const char **p, size_t *n)
{
    const char *end = *n ? memchr(*p, '\n', *n) : NULL;
    struct text t = { *p, end ? (size_t)(end - *p) : *n };
    const size_t taken = end ? t.n + 1 : t.n;
    *p += taken, *n -= taken;
    if (t.n && t.p[t.n - 1] == '\r') t.n--;
    return t;
}

static const char *armour(uint8_t out[static BLOB], size_t *len, const char *p, size_t n)
{
    char all[SSHSIG_MAX];
    size_t have = 0;
    if (!text_is(line(&p, &n), BEGIN)) return "it does not begin as an SSH signature";
    for (;;) {
        if (!n) return "it does not end as an SSH signature";
        struct text t = line(&p, &n);
        if (text_is(t, END)) break;
        if (!t.n || have + t.n > sizeof all) return "a line is empty, or it is too long";
        memcpy(all + have, t.p, t.n);
        have += t.n;
    }
    if (n) return "something follows its end";
    if (!base64_read(out, BLOB, len, all, have)) return "it is not base64";
    return NULL;
}

static const char *read_signature(struct sshsig *s, const uint8_t *p, size_t n)
{
    struct rd r = rd_of(p, n);
    size_t len = 0;
    const bool sk = s->who.kind == MAINTAINER_SK;
    ssh_expect(&r, sk ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519");
    const uint8_t *signature = ssh_string(&r, &len);
    if (len != sizeof s->signature) return "its inner signature is not one of 64 bytes by the kind of its key";
    if (sk) {
        s->flags = rd_u8(&r);
        s->counter = rd_u32be(&r);
    }
    if (!rd_ok(&r) || r.left) return "its inner signature is too short or too long";
    memcpy(s->signature, signature, sizeof s->signature);
    return NULL;
}

const char *sshsig_parse(struct sshsig *out, const char *p, size_t n)
{
    uint8_t blob[BLOB];
    size_t len = 0, key_len = 0, space_len = 0, hash_len = 0, sig_len = 0;
    *out = (struct sshsig){ 0 };
    if (n > SSHSIG_MAX) return "it is too long";
    const char *why = armour(blob, &len, p, n);
    if (why) return why;
    struct rd r = rd_of(blob, len);
    const uint8_t *magic = rd_bytes(&r, sizeof MAGIC - 1);
    if (!magic || memcmp(magic, MAGIC, sizeof MAGIC - 1) != 0 || rd_u32be(&r) != 1) return "it is not of SSHSIG's version 1";
    const uint8_t *key = ssh_string(&r, &key_len), *space = ssh_string(&r, &space_len);
    ssh_expect(&r, "");                          /* reserved; verifiers may ignore it, and then it is a second spelling */
    const uint8_t *hash = ssh_string(&r, &hash_len), *signature = ssh_string(&r, &sig_len);
    if (!rd_ok(&r) || r.left) return "it is too short or too long inside";
    if (!space_len || space_len > SSHSIG_NAMESPACE || memchr(space, 0, space_len)) return "its namespace is empty, too long or has a NUL";
    memcpy(out->name_space, space, space_len);
    out->sha512 = text_is((struct text){ (const char *)hash, hash_len }, "sha512");
    if (!out->sha512 && !text_is((struct text){ (const char *)hash, hash_len }, "sha256")) return "its hash is neither sha256 nor sha512";
    why = maintainer_blob(&out->who, key, key_len);
    return why ? why : read_signature(out, signature, sig_len);
}

static void wr_string(struct wr *w, const void *p, size_t n)
{
    wr_u32be(w, (uint32_t)n);
    wr_bytes(w, p, n);
}

/* What the key signs: SSHSIG's own frame; a hardware key signs its hash, with what the key adds. */
static void signed_bytes(struct wr *w, const struct sshsig *s, const struct sshsig_message *m)
{
    uint8_t frame[SIGNED_MAX], hash[32];
    struct wr f = wr_of(frame, sizeof frame);
    wr_text(&f, MAGIC);
    wr_string(&f, s->name_space, strlen(s->name_space));
    wr_string(&f, "", 0);
    wr_string(&f, s->sha512 ? "sha512" : "sha256", 6);
    wr_string(&f, s->sha512 ? m->sha512 : m->sha256, s->sha512 ? 64 : 32);
    MUST(!f.full);
    if (s->who.kind != MAINTAINER_SK) {
        wr_bytes(w, frame, f.len);
        return;
    }
    sha256(hash, s->who.application, strlen(s->who.application));
    wr_bytes(w, hash, sizeof hash);
    wr_u8(w, s->flags);
    wr_u32be(w, s->counter);
    sha256(hash, frame, f.len);
    wr_bytes(w, hash, sizeof hash);
}

err sshsig_check(const char **why, const struct sshsig *s, const char *name_space, const struct sshsig_message *m)
{
    uint8_t bytes[SIGNED_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    bool good = false;
    *why = "it was made for another purpose (namespace)";
    if (strcmp(s->name_space, name_space) != 0) return OK;
    *why = "the hardware key did not ask its user";
    if (s->who.kind == MAINTAINER_SK && !(s->flags & USER_PRESENT)) return OK;
    signed_bytes(&w, s, m);
    MUST(!w.full);
    TRY(ed25519_check(&good, s->who.key, s->signature, bytes, w.len));
    *why = good ? NULL : "it does not verify over these bytes";
    return OK;
}
