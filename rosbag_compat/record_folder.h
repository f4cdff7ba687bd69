/* SPDX-License-Identifier: Apache-2.0 */
/* record_folder.h - the folder of rosbag2 around the files of a recording, and its metadata.yaml.
 *
 * metadata.yaml is written anew whenever a file has ended, under another name first: what a killed
 * recorder leaves tells of the files that were complete.
 *
 * Life:    make -> topic, name, message ..., end_file -> free
 * Owner:   the texts of topics stay the caller's and must outlive the folder.
 * Threads: one
 * Errors:  -EEXIST (a folder is there), whatever the system says; -ENOMEM
 */
#ifndef SL_ROSBAG_COMPAT_RECORD_FOLDER_H
#define SL_ROSBAG_COMPAT_RECORD_FOLDER_H

#include "rosbag_compat/files.h"

#include <limits.h>

struct record_folder;

/* `overwrite`: a folder that is there is taken, and the files of a recording of its name removed.
 */
int record_folder_make(const char *path, enum sl_log_output_kind kind, bool overwrite,
                       struct record_folder **ret_folder);
/* "drive/drive_0.mcap" */
int record_folder_name_file(const struct record_folder *folder, unsigned number,
                            char ret_path[PATH_MAX]);
/* Topics and messages count from 0 in the order in which they came. */
int record_folder_topic(struct record_folder *folder, const struct sl_log_topic *topic);
void record_folder_message(struct record_folder *folder, uint32_t topic, uint64_t receive_ns);
/* The file that the messages since the last one went into is complete. */
int record_folder_end_file(struct record_folder *folder, unsigned number);
void record_folder_free(struct record_folder *folder); /* NULL is fine */

#endif
