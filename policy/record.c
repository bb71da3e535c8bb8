#include "policy/record.h"

#include <string.h>

static const uint8_t MAGIC[4] = { 'H', 'F', 'S', 'R' };

void record_write_bound(struct wr *w, const struct record *r)
{
    wr_bytes(w, MAGIC, sizeof MAGIC);
    wr_u16(w, RECORD_VERSION);
    wr_u16(w, 0);
    wr_u32(w, r->epoch);
    genesis_write(w, &r->genesis);
    wr_bytes(w, r->public_key, sizeof r->public_key);
    wr_bytes(w, r->commitment, sizeof r->commitment);
    wr_var(w, r->build_arn, strlen(r->build_arn));
    wr_bytes(w, r->build_point, sizeof r->build_point);
    wr_bytes(w, r->release, sizeof r->release);
}

void record_write_keyring(struct wr *w, const uint8_t *sealed, size_t n)
{
    wr_var(w, sealed, n);
}

void record_begin_build(struct record *r)
{
    memcpy(r->build_arn, r->genesis.key_arn, sizeof r->build_arn);
    memcpy(r->build_point, r->genesis.key_point, sizeof r->build_point);
    memset(r->release, 0, sizeof r->release);
}

bool record_is_of_genesis_key(const struct record *r)
{
    return strcmp(r->build_arn, r->genesis.key_arn) == 0;
}

/* Without a release there was no upgrade: then the key is the genesis's, in every byte. */
static err check_build(const struct record *r)
{
    static const uint8_t none[32];
    if (memcmp(r->release, none, sizeof none) != 0) return OK;
    if (!record_is_of_genesis_key(r) || memcmp(r->build_point, r->genesis.key_point, sizeof r->build_point) != 0)
        FAIL(E_FORMAT, "service record with another key than the genesis's, and no release that allowed it");
    return OK;
}

err record_parse(struct record *out, const uint8_t *p, size_t n)
{
    memset(out, 0, sizeof *out);
    if (n > RECORD_MAX) FAIL(E_LIMIT, "service record of %zu bytes", n);
    struct rd r = rd_of(p, n);
    uint8_t magic[4];
    rd_copy(&r, magic, sizeof magic);
    uint16_t version = rd_u16(&r), zero = rd_u16(&r);
    if (!rd_ok(&r) || memcmp(magic, MAGIC, sizeof magic)) FAIL(E_FORMAT, "this is not a service record");
    if (version != RECORD_VERSION) FAIL(E_FORMAT, "service record of version %u: this build knows version %d", version, RECORD_VERSION);
    out->epoch = rd_u32(&r);
    genesis_read(&r, &out->genesis);
    rd_copy(&r, out->public_key, sizeof out->public_key);
    rd_copy(&r, out->commitment, sizeof out->commitment);
    genesis_read_text(&r, out->build_arn, sizeof out->build_arn);
    genesis_read_point(&r, out->build_point);
    rd_copy(&r, out->release, sizeof out->release);
    out->bound = p;
    out->bound_len = n - r.left;
    out->keyring = rd_var(&r, RECORD_KEYRING_MAX, &out->keyring_len);
    TRY(rd_end(&r, "service record"));
    if (zero || !out->epoch) FAIL(E_FORMAT, "service record with a reserved field set, or without an epoch");
    return check_build(out);
}

err record_check(uint8_t id[static SERVICE_ID_LEN], const struct record *r, const char *pinned, const char *kms_key)
{
    TRY(genesis_id(id, &r->genesis));
    char hex[2 * SERVICE_ID_LEN + 1];
    hex_from(hex, id, SERVICE_ID_LEN);
    if (*pinned && strcmp(pinned, hex) != 0)
        FAIL(E_DENIED, "the parent holds service %s, but [service] id allows %s only", hex, pinned);
    if (*kms_key && strcmp(kms_key, r->build_arn) != 0)
        FAIL(E_DENIED, "the parent holds a service whose keyring is sealed for key %s, but [kms] key allows %s only", r->build_arn, kms_key);
    return OK;
}
