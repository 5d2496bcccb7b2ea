-- Generated from the models by: go test ./app/db -run TestMigrations -update
-- +goose Up
CREATE TABLE IF NOT EXISTS `idempotency_keys` (
  `principal` varchar(64) NOT NULL,
  `route` varchar(96) NOT NULL,
  `request_key` varchar(128) NOT NULL,
  `hash` varchar(64) NOT NULL,
  `answer` mediumtext NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`principal`,`route`,`request_key`),
  KEY `idx_idempotency_keys_created_at` (`created_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `revisions` (
  `name` varchar(64) NOT NULL,
  `n` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `operators` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `login` varchar(64) NOT NULL,
  `password_hash` varchar(255) NOT NULL,
  `role` varchar(16) NOT NULL,
  `must_change` tinyint(1) NOT NULL DEFAULT 0,
  `disabled_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_operators_login` (`login`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `sessions` (
  `token_hash` varchar(64) NOT NULL,
  `operator_id` bigint NOT NULL,
  `expires_at` datetime(6) NOT NULL,
  PRIMARY KEY (`token_hash`),
  KEY `idx_sessions_operator_id` (`operator_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `api_keys` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `token_hash` varchar(64) NOT NULL,
  `scopes` varchar(512) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_api_keys_name` (`name`),
  UNIQUE KEY `idx_api_keys_token_hash` (`token_hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `audits` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `actor` varchar(64) NOT NULL,
  `action` varchar(64) NOT NULL,
  `object` varchar(128) NOT NULL,
  `before_json` text NOT NULL,
  `after_json` text NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_audits_actor` (`actor`),
  KEY `idx_audits_object` (`object`),
  KEY `idx_audits_at` (`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `jobs` (
  `name` varchar(64) NOT NULL,
  `next_at` datetime(6) NOT NULL,
  `owner` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `error` varchar(512) NOT NULL DEFAULT '',
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `secrets` (
  `name` varchar(128) NOT NULL,
  `sealed` varchar(2000) NOT NULL,
  `expires_at` datetime(6) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `events` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `kind` varchar(32) NOT NULL,
  `source` varchar(32) NOT NULL,
  `key` varchar(128) NOT NULL,
  `hash` varchar(64) NOT NULL,
  `occurred_at` datetime(6) NOT NULL,
  `recorded_at` datetime(6) NOT NULL,
  `data` text NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_event` (`source`,`key`),
  KEY `ix_event_member` (`member_id`,`kind`,`occurred_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `outboxes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `event_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `state` varchar(8) NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `owner` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `attempts` bigint NOT NULL DEFAULT 0,
  `error` varchar(512) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_outboxes_event_id` (`event_id`),
  KEY `ix_outbox_member` (`member_id`,`state`),
  KEY `ix_outbox_due` (`state`,`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `members` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `version` bigint NOT NULL DEFAULT 0,
  `no` varchar(32) NOT NULL,
  `joined_at` datetime(6) DEFAULT NULL,
  `merged_into` bigint DEFAULT NULL,
  `merged_at` datetime(6) DEFAULT NULL,
  `nickname` varchar(64) NOT NULL DEFAULT '',
  `gender` varchar(8) NOT NULL DEFAULT '',
  `birthday` varchar(10) NOT NULL DEFAULT '',
  `birthday_at` datetime(6) DEFAULT NULL,
  `phone_sealed` varchar(255) NOT NULL DEFAULT '',
  `phone_index` varchar(64) NOT NULL DEFAULT '',
  `lang` varchar(8) NOT NULL DEFAULT 'zh-CN',
  `first_channel` bigint NOT NULL DEFAULT 0,
  `last_channel` bigint NOT NULL DEFAULT 0,
  `opted_out_at` datetime(6) DEFAULT NULL,
  `location_ok` tinyint(1) NOT NULL DEFAULT 0,
  `privacy_read` varchar(32) NOT NULL DEFAULT '',
  `left_at` datetime(6) DEFAULT NULL,
  `erased_at` datetime(6) DEFAULT NULL,
  `former` tinyint(1) NOT NULL DEFAULT 0,
  `token_version` bigint NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL,
  `active_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_members_no` (`no`),
  KEY `idx_members_merged_into` (`merged_into`),
  KEY `idx_members_phone_index` (`phone_index`),
  KEY `idx_members_left_at` (`left_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `identities` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `open_id` varchar(64) NOT NULL,
  `kind` varchar(8) NOT NULL,
  `union_id` varchar(64) NOT NULL DEFAULT '',
  `subscribed` tinyint(1) NOT NULL DEFAULT 0,
  `subscribed_at` datetime(6) DEFAULT NULL,
  `unsubscribed_at` datetime(6) DEFAULT NULL,
  `state_at` datetime(6) DEFAULT NULL,
  `subscribe_scene` varchar(64) NOT NULL DEFAULT '',
  `session_sealed` varchar(255) NOT NULL DEFAULT '',
  `asked_at` datetime(6) DEFAULT NULL,
  `former` tinyint(1) NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_identity` (`account`,`open_id`),
  KEY `idx_identities_member_id` (`member_id`),
  KEY `idx_identities_union_id` (`union_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `unions` (
  `union_id` varchar(64) NOT NULL,
  `member_id` bigint NOT NULL,
  PRIMARY KEY (`union_id`),
  KEY `idx_unions_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `merges` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `loser_id` bigint NOT NULL,
  `winner_id` bigint NOT NULL,
  `reason` varchar(64) NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_merges_loser_id` (`loser_id`),
  KEY `idx_merges_winner_id` (`winner_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `merge_changes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `merge_id` bigint NOT NULL,
  `table_name` varchar(64) NOT NULL,
  `before_json` text NOT NULL,
  `after_json` text NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_merge_changes_merge_id` (`merge_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `formers` (
  `hash` varchar(64) NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `positions` (
  `member_id` bigint NOT NULL,
  `lat` double NOT NULL,
  `lng` double NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `accounts` (
  `code` varchar(32) NOT NULL,
  `name` varchar(64) NOT NULL,
  `spendable` tinyint(1) NOT NULL,
  `expiry_months` bigint NOT NULL DEFAULT 0,
  `grace_days` bigint NOT NULL DEFAULT 0,
  `position` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `balances` (
  `member_id` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `seq` bigint NOT NULL DEFAULT 0,
  `available` bigint NOT NULL DEFAULT 0,
  `pending` bigint NOT NULL DEFAULT 0,
  `held` bigint NOT NULL DEFAULT 0,
  `lifetime` bigint NOT NULL DEFAULT 0,
  `next_due_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`member_id`,`account`),
  KEY `idx_balances_next_due_at` (`next_due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `lots` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `open` tinyint(1) NOT NULL,
  `entry_id` bigint NOT NULL,
  `origin_id` bigint NOT NULL DEFAULT 0,
  `amount` bigint NOT NULL,
  `remaining` bigint NOT NULL,
  `activates_at` datetime(6) DEFAULT NULL,
  `active` tinyint(1) NOT NULL,
  `expires_at` datetime(6) DEFAULT NULL,
  `earned_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_lot_member` (`member_id`,`account`,`open`),
  KEY `idx_lots_entry_id` (`entry_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `entries` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `seq` bigint NOT NULL,
  `bucket` varchar(12) NOT NULL,
  `delta` bigint NOT NULL,
  `balance` bigint NOT NULL,
  `lifetime` bigint NOT NULL,
  `kind` varchar(12) NOT NULL,
  `reason` varchar(64) NOT NULL,
  `note` varchar(64) NOT NULL DEFAULT '',
  `memo` varchar(255) NOT NULL DEFAULT '',
  `actor` varchar(64) NOT NULL DEFAULT '',
  `rule_id` bigint NOT NULL DEFAULT 0,
  `rule_version` bigint NOT NULL DEFAULT 0,
  `bonus` tinyint(1) NOT NULL DEFAULT 0,
  `event_id` bigint NOT NULL DEFAULT 0,
  `origin_id` bigint NOT NULL DEFAULT 0,
  `reverses_id` bigint NOT NULL DEFAULT 0,
  `occurred_at` datetime(6) NOT NULL,
  `recorded_at` datetime(6) NOT NULL,
  `key` varchar(128) NOT NULL,
  `hash` varchar(32) NOT NULL,
  `seal` varchar(32) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_entry_seq` (`member_id`,`account`,`seq`),
  UNIQUE KEY `idx_entries_key` (`key`),
  KEY `ix_entry_member` (`member_id`),
  KEY `idx_entries_event_id` (`event_id`),
  KEY `idx_entries_reverses_id` (`reverses_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `lot_moves` (
  `entry_id` bigint NOT NULL,
  `lot_id` bigint NOT NULL,
  `delta` bigint NOT NULL,
  PRIMARY KEY (`entry_id`,`lot_id`),
  KEY `idx_lot_moves_lot_id` (`lot_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tag_groups` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `code` varchar(32) NOT NULL,
  `name` varchar(64) NOT NULL,
  `exclusive` tinyint(1) NOT NULL DEFAULT 0,
  `position` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_tag_groups_code` (`code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tags` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `group_id` bigint NOT NULL,
  `name` varchar(64) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_tag` (`group_id`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tag_holds` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `tag_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `cause` varchar(12) NOT NULL,
  `cause_id` bigint NOT NULL,
  `event_id` bigint NOT NULL DEFAULT 0,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_tag_hold` (`tag_id`,`member_id`,`cause`,`cause_id`),
  KEY `idx_tag_holds_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tag_changes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `tag_id` bigint NOT NULL,
  `is_set` tinyint(1) NOT NULL,
  `cause` varchar(12) NOT NULL,
  `cause_id` bigint NOT NULL,
  `event_id` bigint NOT NULL DEFAULT 0,
  `reason` varchar(255) NOT NULL DEFAULT '',
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_tag_changes_member_id` (`member_id`),
  KEY `idx_tag_changes_tag_id` (`tag_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `auto_tags` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `tag_id` bigint NOT NULL,
  `name` varchar(64) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `condition` text NOT NULL,
  `review_after` bigint NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_auto_tags_tag_id` (`tag_id`),
  KEY `idx_auto_tags_review_after` (`review_after`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tag_flips` (
  `auto_tag_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`auto_tag_id`,`member_id`),
  KEY `idx_tag_flips_member_id` (`member_id`),
  KEY `idx_tag_flips_at` (`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `point_rules` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `code` varchar(64) NOT NULL,
  `name` varchar(64) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `version` bigint NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_point_rules_code` (`code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `point_rule_versions` (
  `rule_id` bigint NOT NULL,
  `version` bigint NOT NULL,
  `effective_at` datetime(6) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `trigger_kind` varchar(32) NOT NULL,
  `definition` text NOT NULL,
  PRIMARY KEY (`rule_id`,`version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `rule_uses` (
  `rule_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `period` varchar(16) NOT NULL,
  `account` varchar(32) NOT NULL,
  `used` bigint NOT NULL,
  PRIMARY KEY (`rule_id`,`member_id`,`period`,`account`),
  KEY `idx_rule_uses_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `channel_codes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `code` varchar(64) NOT NULL,
  `name` varchar(64) NOT NULL,
  `welcome` varchar(2000) NOT NULL DEFAULT '',
  `card_title` varchar(64) NOT NULL DEFAULT '',
  `card_path` varchar(255) NOT NULL DEFAULT '',
  `card_image` bigint NOT NULL DEFAULT 0,
  `image_id` bigint NOT NULL DEFAULT 0,
  `article` text DEFAULT NULL,
  `tag_id` bigint NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_channel_codes_code` (`code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `channel_visits` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `channel_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `kind` varchar(12) NOT NULL,
  `event_id` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_visit` (`channel_id`,`kind`),
  KEY `idx_channel_visits_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `checkins` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `day` varchar(10) NOT NULL,
  `streak` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  `via` varchar(8) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_checkin` (`member_id`,`day`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `checkin_settings` (
  `id` bigint NOT NULL,
  `makeup_limit` bigint NOT NULL,
  `makeup_reach` bigint NOT NULL,
  `makeup_price` bigint NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `reminders` (
  `id` bigint NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `streak` bigint NOT NULL,
  `at` varchar(5) NOT NULL,
  `message` text NOT NULL,
  `next_at` datetime(6) DEFAULT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `quizzes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `question` varchar(1000) NOT NULL,
  `opens_at` datetime(6) NOT NULL,
  `closes_at` datetime(6) NOT NULL,
  `attempts` bigint NOT NULL,
  `explanation` varchar(1000) NOT NULL DEFAULT '',
  `link` varchar(512) NOT NULL DEFAULT '',
  `enabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_quizzes_closes_at` (`closes_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `quiz_options` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `quiz_id` bigint NOT NULL,
  `letter` varchar(1) NOT NULL,
  `text` varchar(255) NOT NULL,
  `correct` tinyint(1) NOT NULL,
  `tag_id` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_quiz_option` (`quiz_id`,`letter`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `quiz_answers` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `quiz_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `attempt` bigint NOT NULL,
  `option_id` bigint NOT NULL,
  `correct` tinyint(1) NOT NULL,
  `via` varchar(8) NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_quiz_answer` (`quiz_id`,`member_id`,`attempt`),
  KEY `idx_quiz_answers_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `follower_syncs` (
  `account` varchar(32) NOT NULL,
  `version` bigint NOT NULL DEFAULT 0,
  `state` varchar(16) NOT NULL,
  `cursor` varchar(64) NOT NULL DEFAULT '',
  `total` bigint NOT NULL DEFAULT 0,
  `seen` bigint NOT NULL DEFAULT 0,
  `taken` bigint NOT NULL DEFAULT 0,
  `known` bigint NOT NULL DEFAULT 0,
  `gone` bigint NOT NULL DEFAULT 0,
  `linked` bigint NOT NULL DEFAULT 0,
  `unions` bigint NOT NULL DEFAULT 0,
  `busy_ms` bigint NOT NULL DEFAULT 0,
  `problem` varchar(16) NOT NULL DEFAULT '',
  `error` varchar(500) NOT NULL DEFAULT '',
  `retry_at` datetime(6) NOT NULL,
  `owner` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `started_at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`account`),
  KEY `ix_follower_sync` (`state`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `link_codes` (
  `member_id` bigint NOT NULL,
  `hash` varchar(64) DEFAULT NULL,
  `expires_at` datetime(6) NOT NULL,
  `window_at` datetime(6) NOT NULL,
  `issued` bigint NOT NULL DEFAULT 0,
  `wrong` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`member_id`),
  UNIQUE KEY `idx_link_codes_hash` (`hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `community_groups` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `opengid` varchar(64) DEFAULT NULL,
  `bind_code` varchar(32) NOT NULL DEFAULT '',
  `bound_at` datetime(6) DEFAULT NULL,
  `enabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_community_groups_name` (`name`),
  UNIQUE KEY `idx_community_groups_open_g_id` (`opengid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `group_members` (
  `group_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `via` varchar(8) NOT NULL,
  `joined_at` datetime(6) NOT NULL,
  PRIMARY KEY (`group_id`,`member_id`),
  KEY `idx_group_members_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `group_days` (
  `group_id` bigint NOT NULL,
  `day` varchar(10) NOT NULL,
  `topic` varchar(500) NOT NULL DEFAULT '',
  `word` varchar(64) DEFAULT NULL,
  PRIMARY KEY (`group_id`,`day`),
  UNIQUE KEY `uq_group_word` (`day`,`word`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `interactions` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `group_id` bigint NOT NULL,
  `day` varchar(10) NOT NULL,
  `proof` varchar(24) NOT NULL,
  `at` datetime(6) NOT NULL,
  `event_id` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_interaction` (`member_id`,`group_id`,`day`,`proof`),
  KEY `ix_interaction_group` (`group_id`,`day`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `group_guesses` (
  `member_id` bigint NOT NULL,
  `day` varchar(10) NOT NULL,
  `wrong` bigint NOT NULL,
  PRIMARY KEY (`member_id`,`day`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tasks` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `code` varchar(64) NOT NULL,
  `rule_id` bigint NOT NULL DEFAULT 0,
  `title_zh` varchar(64) NOT NULL DEFAULT '',
  `title_en` varchar(64) NOT NULL DEFAULT '',
  `text_zh` varchar(255) NOT NULL DEFAULT '',
  `text_en` varchar(255) NOT NULL DEFAULT '',
  `icon` varchar(512) NOT NULL DEFAULT '',
  `link` varchar(512) NOT NULL DEFAULT '',
  `counts` varchar(32) NOT NULL DEFAULT '',
  `goal` bigint NOT NULL DEFAULT 0,
  `period` varchar(8) NOT NULL DEFAULT '',
  `claimed` tinyint(1) NOT NULL DEFAULT 0,
  `starts_at` datetime(6) DEFAULT NULL,
  `ends_at` datetime(6) DEFAULT NULL,
  `position` bigint NOT NULL DEFAULT 0,
  `enabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_tasks_code` (`code`),
  KEY `idx_tasks_rule_id` (`rule_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `task_claims` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `task_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `period` varchar(16) NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_task_claim` (`member_id`,`task_id`,`period`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `grant_reads` (
  `member_id` bigint NOT NULL,
  `entry_id` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `articles` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `title` varchar(200) NOT NULL,
  `url` varchar(512) NOT NULL,
  `min_seconds` bigint NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `article_reads` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `article_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `started_at` datetime(6) DEFAULT NULL,
  `times` bigint NOT NULL,
  `seconds` bigint NOT NULL,
  `last_at` datetime(6) DEFAULT NULL,
  `first_id` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_article_read` (`article_id`,`member_id`),
  KEY `idx_article_reads_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `reading_clocks` (
  `member_id` bigint NOT NULL,
  `till` datetime(6) NOT NULL,
  `day` varchar(10) NOT NULL,
  `seconds` bigint NOT NULL,
  PRIMARY KEY (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `live_sessions` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `title` varchar(200) NOT NULL,
  `url` varchar(512) NOT NULL DEFAULT '',
  `opens_at` datetime(6) NOT NULL,
  `closes_at` datetime(6) NOT NULL,
  `min_seconds` bigint NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_live_sessions_closes_at` (`closes_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `live_visits` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `session_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `visit` varchar(64) NOT NULL,
  `since` datetime(6) DEFAULT NULL,
  `till` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_live_visit` (`session_id`,`member_id`),
  KEY `idx_live_visits_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `live_views` (
  `session_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `seconds` bigint NOT NULL,
  `reached_at` datetime(6) DEFAULT NULL,
  `event_id` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`session_id`,`member_id`),
  KEY `idx_live_views_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `runs` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `source` varchar(16) NOT NULL,
  `source_id` bigint NOT NULL,
  `slot` varchar(40) NOT NULL,
  `state` varchar(12) NOT NULL,
  `paused` tinyint(1) NOT NULL DEFAULT 0,
  `class` varchar(12) NOT NULL,
  `message` text NOT NULL,
  `audience` bigint NOT NULL,
  `step` bigint NOT NULL DEFAULT 0,
  `range_size` bigint NOT NULL,
  `members` longblob DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  `done_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_run` (`source`,`source_id`,`slot`),
  KEY `idx_runs_state` (`state`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `ranges` (
  `run_id` bigint NOT NULL,
  `no` bigint NOT NULL,
  `from_seq` bigint NOT NULL,
  `to_seq` bigint NOT NULL,
  `made` tinyint(1) NOT NULL DEFAULT 0,
  `cursor_seq` bigint NOT NULL,
  `state` varchar(8) NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `owner` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `fence` bigint NOT NULL DEFAULT 0,
  `step` bigint NOT NULL DEFAULT 0,
  `pending` bigint NOT NULL,
  `mass` bigint NOT NULL DEFAULT 0,
  `accepted` bigint NOT NULL DEFAULT 0,
  `rejected` bigint NOT NULL DEFAULT 0,
  `unknown_count` bigint NOT NULL DEFAULT 0,
  `suppressed` bigint NOT NULL DEFAULT 0,
  `deferred_count` bigint NOT NULL DEFAULT 0,
  `cancelled` bigint NOT NULL DEFAULT 0,
  `reasons` text NOT NULL,
  PRIMARY KEY (`run_id`,`no`),
  KEY `ix_range_due` (`run_id`,`state`,`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `deliveries` (
  `run_id` bigint NOT NULL,
  `seq` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `state` varchar(12) NOT NULL,
  `channel` varchar(12) NOT NULL DEFAULT '',
  `identity_id` bigint NOT NULL DEFAULT 0,
  `reason` varchar(16) NOT NULL DEFAULT '',
  `detail` varchar(128) NOT NULL DEFAULT '',
  `no_mass` tinyint(1) NOT NULL DEFAULT 0,
  `batch_no` bigint NOT NULL DEFAULT 0,
  `msg_id` varchar(32) NOT NULL DEFAULT '',
  `due_at` datetime(6) DEFAULT NULL,
  `at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`run_id`,`seq`),
  KEY `idx_deliveries_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `batches` (
  `run_id` bigint NOT NULL,
  `no` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `from_seq` bigint NOT NULL,
  `to_seq` bigint NOT NULL,
  `cursor_seq` bigint NOT NULL,
  `state` varchar(12) NOT NULL,
  `result` varchar(12) NOT NULL DEFAULT '',
  `client_msg_id` varchar(64) NOT NULL,
  `size` bigint NOT NULL DEFAULT 0,
  `msg_id` varchar(32) NOT NULL DEFAULT '',
  `detail` varchar(128) NOT NULL DEFAULT '',
  `reserved_at` datetime(6) DEFAULT NULL,
  `called_at` datetime(6) DEFAULT NULL,
  `due_at` datetime(6) NOT NULL,
  `owner` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `fence` bigint NOT NULL DEFAULT 0,
  `step` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`run_id`,`no`),
  KEY `idx_batches_msg_id` (`msg_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `mass_results` (
  `account` varchar(32) NOT NULL,
  `msg_id` varchar(32) NOT NULL,
  `status` varchar(64) NOT NULL,
  `total` bigint NOT NULL DEFAULT 0,
  `filtered` bigint NOT NULL DEFAULT 0,
  `sent` bigint NOT NULL DEFAULT 0,
  `errors` bigint NOT NULL DEFAULT 0,
  `finished_at` datetime(6) NOT NULL,
  PRIMARY KEY (`account`,`msg_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `receipts` (
  `account` varchar(32) NOT NULL,
  `msg_id` varchar(32) NOT NULL,
  `run_id` bigint NOT NULL DEFAULT 0,
  `seq` bigint NOT NULL DEFAULT 0,
  `failure` varchar(128) NOT NULL DEFAULT '',
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`account`,`msg_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `allowances` (
  `identity_id` bigint NOT NULL,
  `kind` varchar(12) NOT NULL,
  `remaining` bigint NOT NULL,
  `expires_at` datetime(6) NOT NULL,
  PRIMARY KEY (`identity_id`,`kind`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `acceptances` (
  `identity_id` bigint NOT NULL,
  `template_id` varchar(64) NOT NULL,
  `accepted_count` bigint NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`identity_id`,`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `reach_uses` (
  `member_id` bigint NOT NULL,
  `kind` varchar(40) NOT NULL,
  `period` varchar(16) NOT NULL,
  `used` bigint NOT NULL,
  PRIMARY KEY (`member_id`,`kind`,`period`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `webhook_endpoints` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `url` varchar(500) NOT NULL,
  `kinds` text NOT NULL,
  `secret` varchar(255) NOT NULL,
  `old_secret` varchar(255) NOT NULL DEFAULT '',
  `old_until` datetime(6) DEFAULT NULL,
  `state` varchar(8) NOT NULL,
  `reason` varchar(16) NOT NULL DEFAULT '',
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `webhook_deliveries` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `endpoint_id` bigint NOT NULL,
  `event_id` bigint NOT NULL,
  `kind` varchar(32) NOT NULL,
  `state` varchar(8) NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `lease_till` datetime(6) NOT NULL,
  `attempts` bigint NOT NULL DEFAULT 0,
  `step` bigint NOT NULL DEFAULT 0,
  `error` varchar(255) NOT NULL DEFAULT '',
  `created_at` datetime(6) NOT NULL,
  `done_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_webhook_delivery` (`endpoint_id`,`event_id`),
  KEY `ix_webhook_due` (`state`,`due_at`),
  KEY `idx_webhook_deliveries_created_at` (`created_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `webhook_attempts` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `delivery_id` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  `status` bigint NOT NULL DEFAULT 0,
  `took_ms` bigint NOT NULL DEFAULT 0,
  `error` varchar(255) NOT NULL DEFAULT '',
  `excerpt` varchar(1024) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  KEY `idx_webhook_attempts_delivery_id` (`delivery_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `broadcasts` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `version` bigint NOT NULL DEFAULT 0,
  `name` varchar(64) NOT NULL,
  `class` varchar(12) NOT NULL,
  `condition` text NOT NULL,
  `message` text NOT NULL,
  `cron` varchar(64) NOT NULL DEFAULT '',
  `at` datetime(6) DEFAULT NULL,
  `state` varchar(12) NOT NULL,
  `next_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_broadcast_due` (`state`,`next_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `inboxes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `account` varchar(32) NOT NULL,
  `key` varchar(191) NOT NULL,
  `kind` varchar(48) NOT NULL,
  `open_id` varchar(64) NOT NULL,
  `state` varchar(8) NOT NULL,
  `raw` mediumblob DEFAULT NULL,
  `reply` text NOT NULL,
  `error` varchar(512) NOT NULL DEFAULT '',
  `attempts` bigint NOT NULL DEFAULT 0,
  `owner` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `occurred_at` datetime(6) NOT NULL,
  `received_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_inbox` (`account`,`key`),
  KEY `ix_inbox_state` (`state`,`received_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `media` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `type` varchar(8) NOT NULL,
  `size` bigint NOT NULL,
  `sha256` varchar(64) NOT NULL,
  `data` mediumblob DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_media_sha256` (`sha256`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `media_uses` (
  `owner` varchar(48) NOT NULL,
  `media_id` bigint NOT NULL,
  `form` varchar(8) NOT NULL,
  PRIMARY KEY (`owner`,`media_id`,`form`),
  KEY `idx_media_uses_media_id` (`media_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `media_copies` (
  `account` varchar(32) NOT NULL,
  `media_id` bigint NOT NULL,
  `form` varchar(8) NOT NULL,
  `value` varchar(512) NOT NULL DEFAULT '',
  `uploaded_at` datetime(6) DEFAULT NULL,
  `dies_at` datetime(6) DEFAULT NULL,
  `due_at` datetime(6) NOT NULL,
  `attempts` bigint NOT NULL DEFAULT 0,
  `error` varchar(255) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  PRIMARY KEY (`account`,`media_id`,`form`),
  KEY `idx_media_copies_due_at` (`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `replies` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `trigger` varchar(8) NOT NULL,
  `match` varchar(8) NOT NULL,
  `words` text NOT NULL,
  `mode` varchar(8) NOT NULL,
  `messages` text NOT NULL,
  `position` bigint NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `reply_sends` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `identity_id` bigint NOT NULL,
  `source` varchar(48) NOT NULL,
  `messages` text NOT NULL,
  `next_no` bigint NOT NULL DEFAULT 0,
  `state` varchar(8) NOT NULL,
  `calling` tinyint(1) NOT NULL DEFAULT 0,
  `paid` tinyint(1) NOT NULL DEFAULT 0,
  `detail` varchar(128) NOT NULL DEFAULT '',
  `attempts` bigint NOT NULL DEFAULT 0,
  `due_at` datetime(6) NOT NULL,
  `until` datetime(6) NOT NULL,
  `lease_till` datetime(6) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_reply_sends_identity_id` (`identity_id`),
  KEY `ix_reply_send` (`state`,`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `menus` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `account` varchar(32) NOT NULL,
  `tag_id` bigint NOT NULL,
  `position` bigint NOT NULL,
  `buttons` text NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_menu` (`account`,`tag_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `menu_states` (
  `account` varchar(32) NOT NULL,
  `published` text NOT NULL,
  `published_at` datetime(6) DEFAULT NULL,
  `imported` mediumtext DEFAULT NULL,
  `error` varchar(255) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  PRIMARY KEY (`account`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tag_mirrors` (
  `account` varchar(32) NOT NULL,
  `tag_id` bigint NOT NULL,
  `wechat_id` bigint NOT NULL,
  `filled` tinyint(1) NOT NULL DEFAULT 0,
  `cursor_id` bigint NOT NULL DEFAULT 0,
  `error` varchar(255) NOT NULL DEFAULT '',
  `due_at` datetime(6) NOT NULL,
  `lease_till` datetime(6) NOT NULL,
  PRIMARY KEY (`account`,`tag_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tag_mirror_works` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `account` varchar(32) NOT NULL,
  `tag_id` bigint NOT NULL,
  `identity_id` bigint NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_mirror_work` (`account`,`tag_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
