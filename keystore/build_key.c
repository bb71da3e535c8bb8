#include "keystore/build_key.h"

#include <string.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "keystore/hpke.h"
#include "keystore/keyring.h"

_Static_assert(BUILD_KEY == (int)HPKE_PUBLIC, "HPKE takes it");

void build_key_drop(struct build_key *k)
{
    secret_drop(&k->scalar);
    memset(k, 0, sizeof *k);
}

err build_key_derive(struct build_key *out, const secret *build_root, const uint8_t service_id[static 32])
{
    static const char salt[] = "holdfast/1";
    uint8_t info[64], point[BUILD_KEY];
    SECRET scalar = NULL;
    if (secret_len(build_root) != KEYRING_SECRET) FAIL(E_FORMAT, "the build root has %zu bytes", secret_len(build_root));
    struct wr w = wr_of(info, sizeof info);
    wr_text(&w, "build-key");
    wr_bytes(&w, service_id, 32);
    TRY(wr_end(&w, "build key info"));
    TRY(hkdf_sha256(&scalar, HPKE_SECRET, build_root, salt, sizeof salt - 1, info, w.len));
    TRY(hpke_public(point, secret_peek(scalar)));
    memcpy(out->point, point, sizeof point);
    out->scalar = NULL;
    secret_move(&out->scalar, &scalar);
    return OK;
}
