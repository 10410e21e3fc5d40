/*
 * part.h - an open store entry: a partial file, who writes it, who follows.
 *
 * Of each key one process, on any host that shares the store, is the holder:
 * it has the lock of the key's byte in the file lock (fcntl(2), F_OFD_SETLK), and
 * it alone fetches; within the process, flight sees to that. A crash frees the lock by itself, and a follower takes
 * over. No file is made for the lock, since that is what a small miss would
 * mostly wait for (0.8 ms on an ext4 that has deleted much lately).
 *
 * Up to PART_SMALL_BYTES lie in memory until the commit. What is larger goes
 * to tmp/HASH.part, which the followers read as it grows. How far the bytes
 * go, the promised length and what became of it stand in one record at
 * PART_RECORD_OFFSET, beyond any legal object: the file is sparse there, and
 * the record is cut off before the file gets its final name.
 *
 * Where the store can't be written the same calls work on an anonymous file
 * elsewhere (PART_SPOOL), which nobody else can follow.
 */
#ifndef STATE_PART_H
#define STATE_PART_H

#include "state/store.h"

#define PART_RECORD_OFFSET ((int64_t)1 << 30)
#define PART_SMALL_BYTES   65536

enum part_role { PART_HOLDER, PART_FOLLOWER, PART_SPOOL };

enum part_state {
	PART_NONE,    /* nothing known yet */
	PART_GROWING, /* a good answer comes in */
	PART_PROVEN,  /* complete and checked; the rename follows */
	PART_FAILED,  /* given up: kind and text say why */
	PART_MOVED,   /* the disk was full: goes on where none can follow */
};

struct part_record {
	uint64_t magic;
	int64_t length_bytes; /* -1: not known */
	int64_t valid_bytes;
	int64_t mtime;
	int32_t state;
	int32_t kind; /* enum err_kind of a failure */
	char text[ERR_TEXT_MAX];
	char boot[40]; /* which kernel the holder runs on */
	uint64_t sum; /* a torn read doesn't match it */
};

struct part {
	int fd; /* of the bytes; -1: a follower that has seen none yet */
	int lock_fd; /* the store's */
	bool has_lock;
	enum part_role role;
	bool is_in_memory;   /* fd isn't the file below yet */
	char name[64];	     /* below the cache directory */
	int64_t lock_at;     /* the key's byte in the file lock */
	int64_t write_bytes; /* how far this fetch has come */
	int64_t valid_bytes; /* how far the file's bytes are good to send */
};

/*
 * Become the holder of key, or a follower of who is. If the store can't be
 * written, *err tells why and the role is PART_SPOOL; -1 only if there is
 * nowhere to put bytes at all.
 */
int part_begin(struct store *store, const char *key, struct part *part,
	       struct err *err);

/*
 * A follower tries to take the dead holder's place: returns true if it is
 * now the holder of the file that it follows, with the bytes there still
 * valid. *is_gone is set if nobody holds the key and that file has left tmp/,
 * or was never there: look in the store, begin anew.
 */
bool part_take_over(struct store *store, struct part *part, bool *is_gone);

/* Has another fetch taken the name of the file that a follower holds open? */
bool part_is_replaced(struct store *store, const struct part *part);

/*
 * A follower whose holder is lost goes on by itself: a spool with the first
 * valid_bytes of what it follows, which must come again alike.
 */
int part_detach(struct part *part, int64_t valid_bytes, struct err *err);

/* Make room for length_bytes; moves to a spool if the disk is full. */
int part_reserve(struct store *store, struct part *part, int64_t length_bytes,
		 struct err *err);

/* Begin again from offset 0; bytes that are there must come again alike. */
void part_rewind(struct part *part);

/* Nobody has seen any byte: forget them. */
int part_forget(struct part *part, struct err *err);

/*
 * The next bytes. Where valid bytes lie already (after part_rewind or a
 * take-over) they are compared: ERR_BAD_UPSTREAM if they differ.
 */
int part_append(struct store *store, struct part *part, struct str data,
		struct err *err);

/* Tell followers; a spool has none. Failures don't matter. */
void part_publish(const struct part *part, struct part_record *record);

/* What the holder told a follower; false if nothing whole is there. */
bool part_watch(struct store *store, struct part *part, struct part_record *record);

/*
 * Make the holder's file the object: flush, set the mtime, rename. For a
 * zip, ziphash is what goes beside it and cmd/go's VERSION.lock is held.
 * Returns 0, or -1 with *err set and the partial file removed.
 */
int part_commit(struct store *store, struct part *part, const char *key,
		int64_t size_bytes, time_t mtime, struct str ziphash,
		struct err *err);

/* Remove the holder's file; the descriptor stays open. */
void part_discard(struct store *store, struct part *part);

/* Remove what crashes left in tmp/: older than age_s, and of a key that nobody holds. */
void part_sweep(struct store *store, int age_s);

/* Close what is open, the lock included. The fd may be another's: set it to -1 before. */
void part_close(struct part *part);

#endif
