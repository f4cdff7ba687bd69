/* SPDX-License-Identifier: Apache-2.0 */
/* failpoint.h - the places at which a test lets its own process die.
 *
 * SL_FAIL_POINT(NAME) is nothing. Only where everything is compiled once more with
 * -DSLUICE_FAIL_POINTS (for the crash test alone) does it call sl_failpoint_pass, which the test
 * brings along.
 *
 * Threads: any; the publisher's and the subscriber's service thread pass some of them.
 */
#ifndef SL_SHM_FAILPOINT_H
#define SL_SHM_FAILPOINT_H

/* Which process passes it: a publisher's, a subscriber's, or either's; and whether at each message
 * (OFTEN) or once in the life of a connection or of an end (RARE). In the order of their steps.
 *
 * Over iceoryx alone, inside of it: all but the first are the test's own, before or behind calls
 * from one of iceoryx's libraries to another. */
#define SL_FAIL_POINTS_ICEORYX(X)                                                                 \
    X(ICEORYX_CHUNK, "iceoryx-chunk", PUBLISHER, OFTEN) /* out of the pool, nobody's yet */       \
    X(ICEORYX_LOCKED, "iceoryx-locked", PUBLISHER, OFTEN)                                         \
    X(ICEORYX_PLACE, "iceoryx-place", EITHER, OFTEN)   /* out of a queue, free or with a chunk */ \
    X(ICEORYX_PLACED, "iceoryx-placed", EITHER, OFTEN) /* in a queue, with a chunk or free */     \
    X(ICEORYX_OWNED, "iceoryx-owned", EITHER, OFTEN)   /* the count of owners not yet less */     \
    X(ICEORYX_UNLOCKING, "iceoryx-unlocking", PUBLISHER, OFTEN)                                   \
    X(ICEORYX_FREED, "iceoryx-freed", PUBLISHER, OFTEN) /* a chunk, in the pool again */

#define SL_FAIL_POINTS(X)                                                                     \
    /* loan and take back, slots.c */                                                         \
    X(LOAN_ASKED, "loan-asked", PUBLISHER, OFTEN)                                             \
    X(RECYCLE_RETIRED, "recycle-retired", PUBLISHER, OFTEN) /* R1, before the fence */        \
    X(RECYCLE_FENCED, "recycle-fenced", PUBLISHER, OFTEN)   /* R2, before looking again */    \
    X(RECYCLE_LOOKED, "recycle-looked", PUBLISHER, OFTEN)   /* R3 */                          \
    X(LOAN_HANDED_OUT, "loan-handed-out", PUBLISHER, OFTEN)                                   \
    X(LOAN_DISCARDED, "loan-discarded", PUBLISHER, OFTEN)                                     \
    X(FILL, "fill", PUBLISHER, OFTEN) /* the test's own: half is written */                   \
    /* publish, slots.c and ring.c */                                                         \
    X(PUBLISH_BEGUN, "publish-begun", PUBLISHER, OFTEN)                                       \
    X(PUBLISH_SLOT, "publish-slot", PUBLISHER, OFTEN) /* the slot's own word says standing */ \
    X(PUBLISH_P1, "publish-p1", PUBLISHER, OFTEN)     /* the old message stands no more */    \
    X(PUBLISH_P2, "publish-p2", PUBLISHER, OFTEN)                                             \
    X(PUBLISH_P3, "publish-p3", PUBLISHER, OFTEN)     /* the descriptor's words */            \
    X(PUBLISH_P4, "publish-p4", PUBLISHER, OFTEN)     /* shown, the head not moved */         \
    X(PUBLISH_SENT, "publish-sent", PUBLISHER, OFTEN) /* by iceoryx, too, if it is that */    \
    X(PUBLISH_P5, "publish-p5", PUBLISHER, OFTEN)                                             \
    X(PUBLISH_WAKING, "publish-waking", PUBLISHER, OFTEN) /* W2, before looking who sleeps */ \
    X(PUBLISH_WOKEN, "publish-woken", PUBLISHER, OFTEN)                                       \
    /* take, release and sleep, reader.c */                                                   \
    X(TAKE_LOOKED, "take-looked", SUBSCRIBER, OFTEN) /* T1 */                                 \
    X(TAKE_COPIED, "take-copied", SUBSCRIBER, OFTEN)                                          \
    X(TAKE_HELD, "take-held", SUBSCRIBER, OFTEN)       /* the hold is set, before T2 */       \
    X(TAKE_FENCED, "take-fenced", SUBSCRIBER, OFTEN)   /* T2 */                               \
    X(TAKE_CHECKED, "take-checked", SUBSCRIBER, OFTEN) /* T3 */                               \
    X(TAKE_DONE, "take-done", SUBSCRIBER, OFTEN)       /* T4 */                               \
    X(RELEASE_BEGUN, "release-begun", SUBSCRIBER, OFTEN)                                      \
    X(RELEASE_CLEARED, "release-cleared", SUBSCRIBER, OFTEN)                                  \
    X(ARM_ASKED, "arm-asked", SUBSCRIBER, OFTEN)   /* S1 */                                   \
    X(ARM_FENCED, "arm-fenced", SUBSCRIBER, OFTEN) /* S2 */                                   \
    X(DISARM, "disarm", SUBSCRIBER, OFTEN)                                                    \
    /* the handshake, subscriber's side, link.c */                                            \
    X(LINK_CONNECTED, "link-connected", SUBSCRIBER, RARE)                                     \
    X(LINK_GREETED, "link-greeted", SUBSCRIBER, RARE)   /* hello is sent */                   \
    X(LINK_WELCOMED, "link-welcomed", SUBSCRIBER, RARE) /* descriptors are in our hands */    \
    X(LINK_MAPPED, "link-mapped", SUBSCRIBER, RARE)     /* each of four segments */           \
    X(ATTACH_CURSOR, "attach-cursor", SUBSCRIBER, RARE) /* stored, the head not re-read */    \
    X(LINK_ATTACHED, "link-attached", SUBSCRIBER, RARE)                                       \
    X(LINK_ARRIVED, "link-arrived", SUBSCRIBER, RARE)                                         \
    /* the handshake, publisher's side, connection.c */                                       \
    X(ACCEPT_ACCEPTED, "accept-accepted", PUBLISHER, RARE)                                    \
    X(ACCEPT_HEARD, "accept-heard", PUBLISHER, RARE)   /* hello was read */                   \
    X(ACCEPT_LEDGER, "accept-ledger", PUBLISHER, RARE) /* the ledger is made */               \
    X(ACCEPT_LISTED, "accept-listed", PUBLISHER, RARE) /* counted, nothing is sent yet */     \
    X(ACCEPT_SENT, "accept-sent", PUBLISHER, RARE)                                            \
    X(DROP_BEGUN, "drop-begun", PUBLISHER, RARE) /* a subscriber has gone */                  \
    X(DROP_UNLISTED, "drop-unlisted", PUBLISHER, RARE)                                        \
    /* opening and closing, publisher.c, domain.c, subscriber.c */                            \
    X(OPEN_POOL, "open-pool", PUBLISHER, RARE)                                                \
    X(OPEN_RING, "open-ring", PUBLISHER, RARE)                                                \
    X(OPEN_SERVICE, "open-service", PUBLISHER, RARE)                                          \
    X(OPEN_SHOWN, "open-shown", PUBLISHER, RARE)                                              \
    X(LISTEN_BOUND, "listen-bound", EITHER, RARE)         /* under its temporary name */      \
    X(LISTEN_LISTENING, "listen-listening", EITHER, RARE) /* before it gets its name */       \
    X(LISTEN_SHOWN, "listen-shown", EITHER, RARE)                                             \
    X(CLOSE_BEGUN, "close-begun", PUBLISHER, RARE)                                            \
    X(CLOSE_UNLINKED, "close-unlinked", EITHER, RARE)  /* the name is gone */                 \
    X(CLOSE_DROPPED, "close-dropped", PUBLISHER, RARE) /* nobody is connected */              \
    X(CLOSE_SERVICE, "close-service", PUBLISHER, RARE)                                        \
    X(CLOSE_POOL, "close-pool", PUBLISHER, RARE)                                              \
    X(SUBSCRIBE_DOMAIN, "subscribe-domain", SUBSCRIBER, RARE)                                 \
    X(SUBSCRIBE_WATCHING, "subscribe-watching", SUBSCRIBER, RARE)                             \
    X(SUBSCRIBE_LISTED, "subscribe-listed", SUBSCRIBER, RARE)                                 \
    X(SUBSCRIBE_OPEN, "subscribe-open", SUBSCRIBER, RARE)                                     \
    X(LEAVE_BEGUN, "leave-begun", SUBSCRIBER, RARE)                                           \
    X(LEAVE_UNWATCHED, "leave-unwatched", SUBSCRIBER, RARE)                                   \
    X(LEAVE_UNMAPPED, "leave-unmapped", SUBSCRIBER, RARE) /* before the connection's end */   \
    X(LEAVE_LEFT, "leave-left", SUBSCRIBER, RARE)                                             \
    X(LEAVE_DONE, "leave-done", SUBSCRIBER, RARE)                                             \
    SL_FAIL_POINTS_ICEORYX(X)

#ifdef SLUICE_FAIL_POINTS

enum sl_failpoint {
#define SL_FAIL_POINT_ENUM(name, text, where, how_often) SL_FAIL_##name,
    SL_FAIL_POINTS(SL_FAIL_POINT_ENUM)
#undef SL_FAIL_POINT_ENUM
    SL_FAIL_POINT_COUNT
};

void sl_failpoint_pass(enum sl_failpoint point);
#define SL_FAIL_POINT(name) sl_failpoint_pass(SL_FAIL_##name)

#else
#define SL_FAIL_POINT(name) ((void)0)
#endif

#endif
