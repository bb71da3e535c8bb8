/* psbt_case.h - pieces of PSBTs in hex, for unit tests and a fuzz target: the emulated spend of one input that the
 * earlier system's own server test has, in both versions. */
#ifndef TESTS_PSBT_CASE_H
#define TESTS_PSBT_CASE_H

#define C_MAGIC "70736274ff"
#define C_TXID "0000000000000000000000000000000000000000000000000000000000000000"
#define C_ACTUAL "5120fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f"
#define C_CONTROL "c04d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"
#define C_ROOT "a85b2107f791b26a84e7586c28cec7cb61202ed3d01944d832500f363782d675"
#define C_OUT "a086010000000000" "026a00"
#define C_TX "02000000" "01" C_TXID "ffffffff" "00" "fdffffff" "01" C_OUT "00000000"
#define C_STACK "02" "0151" "21" C_CONTROL
#define C_TX_WITNESS "02000000" "0001" "01" C_TXID "ffffffff" "00" "fdffffff" "01" C_OUT C_STACK "00000000"

/* Global maps, without their end. */
#define C_GLOBAL_0 "0100" "3e" C_TX
#define C_GLOBAL_2 "0102" "04" "02000000" "0104" "01" "01" "0105" "01" "01" "01fb" "04" "02000000"
/* Pairs of an input. */
#define C_UTXO "0101" "2b" "a086010000000000" "22" C_ACTUAL
#define C_FINAL "0108" "25" C_STACK
#define C_OURS "0bfc08686f6c646661737400" "25" C_STACK
#define C_MERKLE "0118" "20" C_ROOT
#define C_SPENDS_2 "010e" "20" C_TXID "010f" "04" "ffffffff" "0110" "04" "fdffffff"
#define C_UNKNOWN "02f001" "03" "aabbcc"
/* An output's. */
#define C_OUT_2 "0103" "08" "a086010000000000" "0104" "02" "6a00"

#define C_PSBT_0 C_MAGIC C_GLOBAL_0 "00" C_UTXO C_FINAL "00" "00"
#define C_PSBT_2 C_MAGIC C_GLOBAL_2 "00" C_UTXO C_FINAL C_SPENDS_2 "00" C_OUT_2 "00"

#endif
