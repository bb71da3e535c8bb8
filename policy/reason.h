/* reason.h - why a document or its signatures are refused: each reason with its own words. */
#ifndef POLICY_REASON_H
#define POLICY_REASON_H

enum reason {
    REASON_NONE,
    REASON_FORM,             /* the document breaks the schema             */
    REASON_UNKNOWN_FORMAT,   /* a format version of another time           */
    REASON_OTHER_KIND,       /* a document of another kind is asked for    */
    REASON_FIRST_POLICY,     /* the measured configuration does not name it */
    REASON_NO_POLICY,        /* no policy in force: nothing is allowed     */
    REASON_OTHER_SERVICE,
    REASON_OTHER_NETWORK,
    REASON_NOT_YET_VALID,
    REASON_EXPIRED,
    REASON_POLICY_EXPIRED,   /* the one in force                           */
    REASON_OTHER_POLICY,     /* made for another policy than that in force */
    REASON_OLD_VERSION,      /* a policy that was, or is, in force         */
    REASON_SKIPPED_VERSION,
    REASON_OTHER_PREVIOUS,   /* a policy that follows another one          */
    REASON_REVOKED_KEY,      /* a policy brings a revoked key back         */
    REASON_REVOKED_RELEASE,
    REASON_LOWER_SEQUENCE,
    REASON_OLD_STATE,        /* the state is older than the release allows */
    REASON_VETOED,
    REASON_NOT_THE_RELEASE,  /* a veto of another release                  */
    REASON_PERMIT_USED,
    REASON_OTHER_STATE,      /* a permit to go back to another state       */
    REASON_NO_EMERGENCY,     /* the policy in force knows no such way      */
    REASON_QUORUM,           /* too few keys have signed                   */
    REASON_QUORUM_NEW,       /* too few keys of the new policy have signed */
    REASON_NOT_AUTHORISED,   /* no keys to check a genesis authorisation with */
    REASON_PENDING,          /* agreed, and the delay has not passed       */
    REASONS
};

/* A short name for programs ("lower-sequence"), and a sentence for people with what to do. Never NULL. */
const char *reason_name(enum reason r);
const char *reason_text(enum reason r);

#endif
