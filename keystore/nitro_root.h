/* nitro_root.h - the root certificate of AWS Nitro Enclaves attestation (commercial partition), pinned by its bytes. */
#ifndef KEYSTORE_NITRO_ROOT_H
#define KEYSTORE_NITRO_ROOT_H
#include <stdint.h>

enum { NITRO_ROOT_G1 = 533 };
extern const uint8_t nitro_root_g1[NITRO_ROOT_G1];       /* DER */

#endif
