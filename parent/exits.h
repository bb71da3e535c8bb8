/* exits.h - the exit codes of `holdfast`, the same for every command.
 *
 * Scripts depend on them: docs/man/holdfast.1 repeats this list. */
#ifndef PARENT_EXITS_H
#define PARENT_EXITS_H

enum exits {
    EXIT_DONE    = 0,   /* it was done                                                        */
    EXIT_REFUSED = 1,   /* it was refused or failed: trying the same again gives the same     */
    EXIT_USAGE   = 2,   /* the command line or the configuration file is wrong                */
    EXIT_REACH   = 3,   /* the parent or the enclave could not be reached: try again later    */
    EXIT_SERVER  = 4    /* the enclave answered that it failed itself (HTTP 5xx)              */
};

#endif
