/* psbt_map.h - the pairs of a PSBT's maps, for psbt.c and psbt_write.c only. */
#ifndef SIGNER_PSBT_MAP_H
#define SIGNER_PSBT_MAP_H
#include "signer/psbt.h"

enum {
    GLOBAL_UNSIGNED_TX = 0x00, GLOBAL_TX_VERSION = 0x02, GLOBAL_FALLBACK_LOCKTIME = 0x03, GLOBAL_INPUT_COUNT = 0x04,
    GLOBAL_OUTPUT_COUNT = 0x05, GLOBAL_TX_MODIFIABLE = 0x06, GLOBAL_VERSION = 0xfb,
    IN_NON_WITNESS_UTXO = 0x00, IN_WITNESS_UTXO = 0x01, IN_SIGHASH_TYPE = 0x03, IN_FINAL_SCRIPTSIG = 0x07,
    IN_FINAL_SCRIPTWITNESS = 0x08, IN_PREVIOUS_TXID = 0x0e, IN_OUTPUT_INDEX = 0x0f, IN_SEQUENCE = 0x10,
    IN_REQUIRED_TIME = 0x11, IN_REQUIRED_HEIGHT = 0x12, IN_TAP_KEY_SIG = 0x13, IN_TAP_MERKLE_ROOT = 0x18,
    OUT_AMOUNT = 0x03, OUT_SCRIPT = 0x04, OUT_TAP_TREE = 0x06,
    PROPRIETARY = 0xfc
};

/* One pair. `whole`: as it stands in the map, lengths and all. */
struct psbt_pair { uint64_t type; struct span whole, key, data, value; };
/* The next pair of a map; false at its end (the zero is then read) or when r is bad. */
bool psbt_pair(struct psbt_pair *out, struct rd *r);
/* Is it the proprietary field that holds an emulated witness? */
bool psbt_pair_emulated(const struct psbt_pair *p);
/* Does a finaliser remove it (BIP174, 371, 373)? */
bool psbt_pair_cleared(const struct psbt_pair *p);
/* NULL when key and value have the form that this part gives the type, else what is wrong.
 * Fields of the other version are told by psbt_pair_version(). */
const char *psbt_pair_form(enum psbt_part part, const struct psbt_pair *p);
/* The only version that has this field: 0 or 2; -1: both do. */
int psbt_pair_version(enum psbt_part part, const struct psbt_pair *p);

#endif
