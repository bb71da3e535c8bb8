# The keys' side of the signer. hf_keys is the only library here that can hold a secret:
# holdfastd alone links it. hf_emulate and hf_address are pure.
add_library(hf_child STATIC child.c request.c)
target_link_libraries(hf_child PUBLIC hf_core)

add_library(hf_address STATIC address.c tree.c tree_text.c)
target_link_libraries(hf_address PUBLIC hf_core hf_script hf_child)

add_library(hf_emulate STATIC emulate.c emulate_request.c)
target_link_libraries(hf_emulate PUBLIC hf_script hf_address hf_child hf_rules)

add_library(hf_keys STATIC keys.c)
target_link_libraries(hf_keys PUBLIC hf_secret hf_child PRIVATE PkgConfig::SECP)

# The same with signer_sign_with_aux(), for published vectors; only tests link it.
add_library(hf_keys_test STATIC EXCLUDE_FROM_ALL keys.c)
target_compile_definitions(hf_keys_test PUBLIC HOLDFAST_TEST_ENTRIES=1)
target_link_libraries(hf_keys_test PUBLIC hf_secret hf_child PRIVATE PkgConfig::SECP)
