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
  `totp_sealed` varchar(255) NOT NULL DEFAULT '',
  `totp_step` bigint NOT NULL DEFAULT 0,
  `code_fails` bigint NOT NULL DEFAULT 0,
  `codes_from` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_operators_login` (`login`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `recovery_codes` (
  `operator_id` bigint NOT NULL,
  `hash` varchar(64) NOT NULL,
  PRIMARY KEY (`operator_id`,`hash`)
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
  `next_at` datetime(6) DEFAULT NULL,
  `owner` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `state` varchar(8) NOT NULL DEFAULT '',
  `last_at` datetime(6) DEFAULT NULL,
  `took_ms` bigint NOT NULL DEFAULT 0,
  `error` varchar(512) NOT NULL DEFAULT '',
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `works` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `kind` varchar(32) NOT NULL,
  `state` varchar(12) NOT NULL,
  `args` text NOT NULL,
  `cursor` text NOT NULL,
  `result` text NOT NULL,
  `total` bigint NOT NULL,
  `done` bigint NOT NULL,
  `failures` bigint NOT NULL DEFAULT 0,
  `error` varchar(500) NOT NULL DEFAULT '',
  `actor` varchar(64) NOT NULL,
  `version` bigint NOT NULL DEFAULT 0,
  `claim` varchar(32) NOT NULL DEFAULT '',
  `lease_till` datetime(6) NOT NULL,
  `retry_at` datetime(6) NOT NULL,
  `started_at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_work_due` (`state`,`retry_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `secrets` (
  `name` varchar(128) NOT NULL,
  `sealed` varchar(2000) NOT NULL,
  `expires_at` datetime(6) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `board_days` (
  `day` varchar(10) NOT NULL,
  `registered` bigint NOT NULL,
  `followed` bigint NOT NULL,
  `unfollowed` bigint NOT NULL,
  `active` bigint NOT NULL,
  `checkins` bigint NOT NULL,
  `ending7` bigint NOT NULL,
  `ending30` bigint NOT NULL,
  PRIMARY KEY (`day`)
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
  `address_sealed` varchar(1024) NOT NULL DEFAULT '',
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
  UNIQUE KEY `uq_identity` (`open_id`,`account`),
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
CREATE TABLE IF NOT EXISTS `member_changes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `members` text NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
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
CREATE TABLE IF NOT EXISTS `birthday_uses` (
  `member_id` bigint NOT NULL,
  `year` bigint NOT NULL,
  `day` varchar(5) NOT NULL,
  PRIMARY KEY (`member_id`,`year`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `accounts` (
  `code` varchar(32) NOT NULL,
  `name` varchar(64) NOT NULL,
  `spendable` tinyint(1) NOT NULL,
  `expiry` varchar(16) NOT NULL,
  `expiry_count` bigint NOT NULL DEFAULT 0,
  `expiry_on` varchar(10) NOT NULL DEFAULT '',
  `slides` tinyint(1) NOT NULL,
  `grace_days` bigint NOT NULL DEFAULT 0,
  `debt` tinyint(1) NOT NULL,
  `manual_limit` bigint NOT NULL DEFAULT 0,
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
  `slide_days` bigint NOT NULL DEFAULT 0,
  `slide_months` bigint NOT NULL DEFAULT 0,
  `born_until` datetime(6) DEFAULT NULL,
  `earned_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_lot_member` (`member_id`,`account`,`open`,`active`,`expires_at`),
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
  `shortfall` bigint NOT NULL DEFAULT 0,
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
CREATE TABLE IF NOT EXISTS `liability_days` (
  `day` varchar(10) NOT NULL,
  `account` varchar(32) NOT NULL,
  `rule_id` bigint NOT NULL,
  `granted` bigint NOT NULL,
  `issued` bigint NOT NULL,
  `spent` bigint NOT NULL,
  `expired` bigint NOT NULL,
  `reversed` bigint NOT NULL,
  PRIMARY KEY (`day`,`account`,`rule_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `liability_marks` (
  `id` bigint NOT NULL,
  `entry_id` bigint NOT NULL,
  `zone` varchar(64) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `holds` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `amount` bigint NOT NULL,
  `state` varchar(12) NOT NULL,
  `until` datetime(6) NOT NULL,
  `ref` varchar(96) NOT NULL DEFAULT '',
  `worth` bigint NOT NULL DEFAULT 0,
  `entry_id` bigint NOT NULL,
  `end_id` bigint NOT NULL DEFAULT 0,
  `key` varchar(128) NOT NULL,
  `end_key` varchar(128) NOT NULL DEFAULT '',
  `ended_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_holds_entry_id` (`entry_id`),
  UNIQUE KEY `idx_holds_key` (`key`),
  KEY `idx_holds_member_id` (`member_id`),
  KEY `ix_hold_due` (`state`,`until`),
  KEY `idx_holds_end_id` (`end_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `grant_requests` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `amount` bigint NOT NULL,
  `memo` varchar(255) NOT NULL,
  `expires_at` datetime(6) DEFAULT NULL,
  `state` varchar(12) NOT NULL,
  `requested_by` varchar(64) NOT NULL,
  `requested_at` datetime(6) NOT NULL,
  `decided_by` varchar(64) NOT NULL DEFAULT '',
  `decided_at` datetime(6) DEFAULT NULL,
  `entry_id` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY `idx_grant_requests_member_id` (`member_id`),
  KEY `idx_grant_requests_state` (`state`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `conversion_rules` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `from_account` varchar(32) NOT NULL,
  `to_account` varchar(32) NOT NULL,
  `units` bigint NOT NULL,
  `amount` bigint NOT NULL,
  `mode` varchar(12) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_conversion_rule` (`from_account`,`to_account`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `conversions` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `from_account` varchar(32) NOT NULL,
  `to_account` varchar(32) NOT NULL,
  `units` bigint NOT NULL,
  `amount` bigint NOT NULL,
  `mode` varchar(12) NOT NULL,
  `entry_id` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_conversions_entry_id` (`entry_id`),
  KEY `ix_conversion_member` (`member_id`,`from_account`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `deduction_settings` (
  `id` bigint NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `points` bigint NOT NULL,
  `fen` bigint NOT NULL,
  `max_percent` bigint NOT NULL,
  `hold_minutes` bigint NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
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
  `version` bigint NOT NULL DEFAULT 0,
  `evidence_json` text NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_tag_hold` (`tag_id`,`member_id`,`cause`,`cause_id`),
  KEY `idx_tag_holds_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tag_changes` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `tag_id` bigint NOT NULL,
  `from_tag` bigint NOT NULL DEFAULT 0,
  `is_set` tinyint(1) NOT NULL,
  `cause` varchar(12) NOT NULL,
  `cause_id` bigint NOT NULL,
  `event_id` bigint NOT NULL DEFAULT 0,
  `version` bigint NOT NULL DEFAULT 0,
  `reason` varchar(255) NOT NULL DEFAULT '',
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_tag_changes_member_id` (`member_id`),
  KEY `ix_tag_change_tag` (`tag_id`,`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `auto_tags` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `tag_id` bigint NOT NULL,
  `name` varchar(64) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `condition` text NOT NULL,
  `version` bigint NOT NULL DEFAULT 1,
  `owner` varchar(16) NOT NULL DEFAULT '',
  `position` bigint NOT NULL DEFAULT 0,
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
CREATE TABLE IF NOT EXISTS `tag_ladders` (
  `code` varchar(16) NOT NULL,
  `definition` text NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`code`)
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
  `set_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `period` varchar(16) NOT NULL,
  `account` varchar(32) NOT NULL,
  `used` bigint NOT NULL,
  PRIMARY KEY (`rule_id`,`set_id`,`member_id`,`period`,`account`),
  KEY `idx_rule_uses_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `cap_sets` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `code` varchar(64) NOT NULL,
  `name` varchar(64) NOT NULL,
  `period` varchar(8) NOT NULL,
  `times` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `amount` bigint NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_cap_sets_code` (`code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `rule_budgets` (
  `rule_id` bigint NOT NULL,
  `period` varchar(16) NOT NULL,
  `account` varchar(32) NOT NULL,
  `seq` bigint NOT NULL,
  `used` bigint NOT NULL,
  PRIMARY KEY (`rule_id`,`period`,`account`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `reward_settings` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `effective_at` datetime(6) NOT NULL,
  `combine` varchar(8) NOT NULL,
  `max_factor` varchar(16) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `rule_grants` (
  `event_id` bigint NOT NULL,
  `rule_id` bigint NOT NULL,
  `grant_index` bigint NOT NULL,
  `rule_version` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `multiplier` varchar(64) NOT NULL,
  `factors` text NOT NULL,
  `room` bigint DEFAULT NULL,
  `granted` bigint NOT NULL,
  `peak` bigint NOT NULL,
  `base` bigint NOT NULL,
  `bonus` bigint NOT NULL,
  PRIMARY KEY (`event_id`,`rule_id`,`grant_index`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `coupons` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `code` varchar(64) NOT NULL,
  `name` varchar(64) NOT NULL,
  `kind` varchar(24) NOT NULL,
  `threshold_fen` bigint NOT NULL DEFAULT 0,
  `off_fen` bigint NOT NULL DEFAULT 0,
  `percent_off` bigint NOT NULL DEFAULT 0,
  `pay_fen` bigint NOT NULL DEFAULT 0,
  `quantity` bigint NOT NULL DEFAULT 1,
  `stackable` tinyint(1) NOT NULL,
  `products` text NOT NULL,
  `categories` text NOT NULL,
  `text` varchar(255) NOT NULL DEFAULT '',
  `stock` bigint DEFAULT NULL,
  `issued` bigint NOT NULL DEFAULT 0,
  `per_member` bigint NOT NULL DEFAULT 0,
  `valid_days` bigint NOT NULL DEFAULT 0,
  `usable_from` datetime(6) DEFAULT NULL,
  `usable_until` datetime(6) DEFAULT NULL,
  `claimable` tinyint(1) NOT NULL,
  `terms` text NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `position` bigint NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_coupons_code` (`code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `member_coupons` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `coupon_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `seq` bigint NOT NULL,
  `code` varchar(24) NOT NULL,
  `state` varchar(8) NOT NULL,
  `usable_from` datetime(6) DEFAULT NULL,
  `expires_at` datetime(6) DEFAULT NULL,
  `source` varchar(16) NOT NULL,
  `source_id` bigint NOT NULL DEFAULT 0,
  `event_id` bigint NOT NULL DEFAULT 0,
  `memo` varchar(255) NOT NULL DEFAULT '',
  `issued_at` datetime(6) NOT NULL,
  `locked_till` datetime(6) DEFAULT NULL,
  `order_no` varchar(64) NOT NULL DEFAULT '',
  `store` varchar(64) NOT NULL DEFAULT '',
  `uses` bigint NOT NULL DEFAULT 0,
  `used_at` datetime(6) DEFAULT NULL,
  `revoked_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_member_coupon` (`member_id`,`coupon_id`,`seq`),
  UNIQUE KEY `idx_member_coupons_code` (`code`),
  KEY `idx_member_coupons_expires_at` (`expires_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tiers` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(32) NOT NULL,
  `threshold` bigint NOT NULL,
  `gifts` text NOT NULL,
  `removed` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tier_settings` (
  `id` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `basis` varchar(12) NOT NULL,
  `downgrade` varchar(12) NOT NULL,
  `review_days` bigint NOT NULL,
  `notice_days` bigint NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `member_tiers` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `open` tinyint(1) DEFAULT NULL,
  `tier_id` bigint NOT NULL,
  `from_at` datetime(6) NOT NULL,
  `until_at` datetime(6) DEFAULT NULL,
  `event_id` bigint NOT NULL DEFAULT 0,
  `cause` varchar(12) NOT NULL,
  `review_at` datetime(6) DEFAULT NULL,
  `noticed_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_member_tier` (`member_id`,`open`),
  KEY `ix_member_tier` (`member_id`,`from_at`),
  KEY `idx_member_tiers_tier_id` (`tier_id`),
  KEY `idx_member_tiers_review_at` (`review_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tier_gifts` (
  `member_id` bigint NOT NULL,
  `tier_id` bigint NOT NULL,
  `n` bigint NOT NULL,
  `member_coupon_id` bigint NOT NULL DEFAULT 0,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`member_id`,`tier_id`,`n`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `tier_holds` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `open` tinyint(1) DEFAULT NULL,
  `tier_id` bigint NOT NULL,
  `until_at` datetime(6) DEFAULT NULL,
  `reason` varchar(255) NOT NULL,
  `actor` varchar(64) NOT NULL,
  `at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  `ended_by` varchar(64) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_tier_hold` (`member_id`,`open`),
  KEY `idx_tier_holds_until_at` (`until_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `mall_items` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `code` varchar(64) NOT NULL,
  `name` varchar(64) NOT NULL,
  `text` varchar(1000) NOT NULL DEFAULT '',
  `picture` varchar(512) NOT NULL DEFAULT '',
  `kind` varchar(12) NOT NULL,
  `coupon_id` bigint NOT NULL DEFAULT 0,
  `account` varchar(32) NOT NULL,
  `price` bigint NOT NULL,
  `stock` bigint DEFAULT NULL,
  `taken` bigint NOT NULL DEFAULT 0,
  `per_member` bigint NOT NULL DEFAULT 0,
  `month_day` bigint NOT NULL DEFAULT 0,
  `month_time` varchar(5) NOT NULL DEFAULT '',
  `terms` text NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `position` bigint NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_mall_items_code` (`code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `redemptions` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `item_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `period` varchar(16) NOT NULL,
  `seq` bigint NOT NULL,
  `state` varchar(12) NOT NULL,
  `account` varchar(32) NOT NULL,
  `price` bigint NOT NULL,
  `entry_id` bigint NOT NULL DEFAULT 0,
  `member_coupon_id` bigint NOT NULL DEFAULT 0,
  `at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_redemption` (`member_id`,`item_id`,`period`,`seq`),
  KEY `idx_redemptions_item_id` (`item_id`)
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
  `id` bigint NOT NULL AUTO_INCREMENT,
  `kind` varchar(16) NOT NULL,
  `name` varchar(64) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `cron` varchar(64) NOT NULL,
  `days` bigint NOT NULL,
  `account` varchar(32) NOT NULL,
  `at_least` bigint NOT NULL,
  `event` varchar(64) NOT NULL DEFAULT '',
  `condition` text NOT NULL,
  `message` text NOT NULL,
  `next_at` datetime(6) DEFAULT NULL,
  `covered` varchar(10) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_reminders_next_at` (`next_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `gifts` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `account` varchar(32) NOT NULL,
  `amount` bigint NOT NULL,
  `memo` varchar(255) NOT NULL,
  `condition` text NOT NULL,
  `cron` varchar(64) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `actor` varchar(64) NOT NULL,
  `next_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_gifts_next_at` (`next_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `gift_runs` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `gift_id` bigint NOT NULL,
  `slot` varchar(32) NOT NULL,
  `work_id` bigint NOT NULL DEFAULT 0,
  `account` varchar(32) NOT NULL,
  `amount` bigint NOT NULL,
  `memo` varchar(255) NOT NULL,
  `audience` bigint NOT NULL,
  `members` longblob DEFAULT NULL,
  `actor` varchar(64) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_gift_run` (`gift_id`,`slot`)
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
CREATE TABLE IF NOT EXISTS `forms` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `title` varchar(200) NOT NULL,
  `text` varchar(2000) NOT NULL DEFAULT '',
  `opens_at` datetime(6) NOT NULL,
  `closes_at` datetime(6) NOT NULL,
  `condition` text NOT NULL,
  `editable` tinyint(1) NOT NULL,
  `shown` tinyint(1) NOT NULL,
  `prize` varchar(12) NOT NULL DEFAULT '',
  `coupon_id` bigint NOT NULL DEFAULT 0,
  `points` bigint NOT NULL DEFAULT 0,
  `stock` bigint DEFAULT NULL,
  `taken` bigint NOT NULL DEFAULT 0,
  `answered` tinyint(1) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_forms_closes_at` (`closes_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `form_questions` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `form_id` bigint NOT NULL,
  `seq` bigint NOT NULL,
  `kind` varchar(12) NOT NULL,
  `text` varchar(500) NOT NULL,
  `required` tinyint(1) NOT NULL,
  `min` bigint NOT NULL DEFAULT 0,
  `max` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY `idx_form_questions_form_id` (`form_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `form_options` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `form_id` bigint NOT NULL,
  `question_id` bigint NOT NULL,
  `seq` bigint NOT NULL,
  `text` varchar(255) NOT NULL,
  `tag_id` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY `idx_form_options_form_id` (`form_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `form_answers` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `form_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `event_id` bigint NOT NULL DEFAULT 0,
  `prize` varchar(8) NOT NULL DEFAULT '',
  `member_coupon_id` bigint NOT NULL DEFAULT 0,
  `edits` bigint NOT NULL DEFAULT 0,
  `at` datetime(6) NOT NULL,
  `edited_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_form_answer` (`form_id`,`member_id`),
  KEY `idx_form_answers_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `form_choices` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `answer_id` bigint NOT NULL,
  `question_id` bigint NOT NULL,
  `option_id` bigint NOT NULL,
  `value` bigint NOT NULL,
  `text` varchar(2000) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_form_choice` (`answer_id`,`question_id`,`option_id`),
  KEY `ix_form_choice` (`question_id`,`option_id`,`value`)
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
CREATE TABLE IF NOT EXISTS `radar_links` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `kind` varchar(32) NOT NULL DEFAULT '',
  `target` varchar(8) NOT NULL,
  `url` varchar(512) NOT NULL,
  `high_seconds` bigint NOT NULL,
  `high_forwards` bigint NOT NULL,
  `medium_seconds` bigint NOT NULL,
  `low_hours` bigint NOT NULL,
  `high_tag` bigint NOT NULL,
  `medium_tag` bigint NOT NULL,
  `low_tag` bigint NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `radar_sends` (
  `link_id` bigint NOT NULL,
  `run_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  `due_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`link_id`,`run_id`,`member_id`),
  KEY `idx_radar_sends_run_id` (`run_id`),
  KEY `idx_radar_sends_member_id` (`member_id`),
  KEY `idx_radar_sends_due_at` (`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `radar_shares` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `link_id` bigint NOT NULL,
  `run_id` bigint NOT NULL DEFAULT 0,
  `parent_id` bigint NOT NULL DEFAULT 0,
  `member_id` bigint NOT NULL DEFAULT 0,
  `visitor_id` bigint NOT NULL DEFAULT 0,
  `view_id` bigint NOT NULL DEFAULT 0,
  `slot` varchar(64) DEFAULT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_radar_shares_slot` (`slot`),
  KEY `idx_radar_shares_link_id` (`link_id`),
  KEY `idx_radar_shares_parent_id` (`parent_id`),
  KEY `idx_radar_shares_member_id` (`member_id`),
  KEY `idx_radar_shares_visitor_id` (`visitor_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `radar_visitors` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `version` bigint NOT NULL DEFAULT 0,
  `member_id` bigint NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_radar_visitors_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `radar_views` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `link_id` bigint NOT NULL,
  `member_id` bigint NOT NULL DEFAULT 0,
  `visitor_id` bigint NOT NULL DEFAULT 0,
  `share_id` bigint NOT NULL,
  `opened_at` datetime(6) NOT NULL,
  `beat` bigint NOT NULL DEFAULT 0,
  `counted_till` datetime(6) DEFAULT NULL,
  `seconds` bigint NOT NULL DEFAULT 0,
  `forwards` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY `ix_radar_view` (`link_id`,`member_id`),
  KEY `idx_radar_views_member_id` (`member_id`),
  KEY `idx_radar_views_visitor_id` (`visitor_id`),
  KEY `ix_radar_share` (`share_id`,`opened_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `radar_readers` (
  `link_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `opens` bigint NOT NULL DEFAULT 0,
  `seconds` bigint NOT NULL DEFAULT 0,
  `forwards` bigint NOT NULL DEFAULT 0,
  `grade` varchar(8) NOT NULL DEFAULT '',
  `graded_at` datetime(6) DEFAULT NULL,
  `last_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`link_id`,`member_id`),
  KEY `idx_radar_readers_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `runs` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `source` varchar(16) NOT NULL,
  `source_id` bigint NOT NULL,
  `slot` varchar(40) NOT NULL,
  `state` varchar(12) NOT NULL,
  `paused` tinyint(1) NOT NULL DEFAULT 0,
  `paused_for` varchar(160) NOT NULL DEFAULT '',
  `stops` bigint NOT NULL DEFAULT 0,
  `class` varchar(12) NOT NULL,
  `message` text NOT NULL,
  `rules` text NOT NULL,
  `send_until` datetime(6) DEFAULT NULL,
  `reserves` bigint NOT NULL DEFAULT 0,
  `variant` varchar(1) NOT NULL DEFAULT '',
  `held` bigint NOT NULL DEFAULT 0,
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
  `again` tinyint(1) NOT NULL DEFAULT 0,
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
  `msg_id` varchar(64) NOT NULL DEFAULT '',
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
  `msg_id` varchar(64) NOT NULL,
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
  PRIMARY KEY (`identity_id`,`kind`),
  KEY `idx_allowances_expires_at` (`expires_at`)
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
CREATE TABLE IF NOT EXISTS `inbox_messages` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `run_id` bigint NOT NULL,
  `seq` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `title` varchar(128) NOT NULL DEFAULT '',
  `text` text NOT NULL,
  `page` varchar(1024) NOT NULL DEFAULT '',
  `at` datetime(6) NOT NULL,
  `read_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_inbox_message` (`run_id`,`seq`),
  KEY `idx_inbox_messages_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `reach_caps` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `class` varchar(12) NOT NULL,
  `channel` varchar(12) NOT NULL DEFAULT '',
  `per` varchar(8) NOT NULL,
  `hours` bigint NOT NULL DEFAULT 0,
  `at_most` bigint NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `reach_settings` (
  `id` bigint NOT NULL,
  `quiet_from` varchar(5) NOT NULL,
  `quiet_to` varchar(5) NOT NULL,
  `stop_percent` bigint NOT NULL,
  `stop_calls` bigint NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `once_sends` (
  `once_key` varchar(64) NOT NULL,
  `member_id` bigint NOT NULL,
  `run_id` bigint NOT NULL,
  PRIMARY KEY (`once_key`,`member_id`),
  KEY `idx_once_sends_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `run_reserves` (
  `run_id` bigint NOT NULL,
  `source_id` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  `channels` text NOT NULL,
  `members` longblob DEFAULT NULL,
  PRIMARY KEY (`run_id`,`source_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `run_helds` (
  `run_id` bigint NOT NULL,
  `members` longblob DEFAULT NULL,
  PRIMARY KEY (`run_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `path_uses` (
  `channel` varchar(12) NOT NULL,
  `account` varchar(32) NOT NULL,
  `day` varchar(10) NOT NULL,
  `used` bigint NOT NULL DEFAULT 0,
  `step` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`channel`,`account`,`day`)
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
CREATE TABLE IF NOT EXISTS `audiences` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `condition` text NOT NULL,
  `frozen_at` datetime(6) DEFAULT NULL,
  `members` longblob DEFAULT NULL,
  `count` bigint NOT NULL DEFAULT 0,
  `work_id` bigint NOT NULL DEFAULT 0,
  `actor` varchar(64) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_audiences_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `broadcasts` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `version` bigint NOT NULL DEFAULT 0,
  `name` varchar(64) NOT NULL,
  `class` varchar(12) NOT NULL,
  `condition` text NOT NULL,
  `message` text NOT NULL,
  `rules` text NOT NULL,
  `trial` text NOT NULL,
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
CREATE TABLE IF NOT EXISTS `risks` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `kind` varchar(32) NOT NULL,
  `subject` varchar(128) NOT NULL,
  `member_id` bigint NOT NULL,
  `data` text NOT NULL,
  `at` datetime(6) NOT NULL,
  `done_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_risk` (`kind`,`subject`,`member_id`),
  KEY `idx_risks_member_id` (`member_id`),
  KEY `idx_risks_done_at` (`done_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `orders` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `platform` varchar(16) NOT NULL,
  `no` varchar(64) NOT NULL,
  `member_id` bigint NOT NULL DEFAULT 0,
  `locks` bigint NOT NULL DEFAULT 0,
  `version` bigint NOT NULL DEFAULT 0,
  `end_version` bigint NOT NULL DEFAULT 0,
  `ended` varchar(16) NOT NULL,
  `amount_fen` bigint NOT NULL,
  `shipping_fen` bigint NOT NULL,
  `refunded_fen` bigint NOT NULL,
  `paid_at` datetime(6) DEFAULT NULL,
  `phone_index` varchar(64) NOT NULL,
  `phone_tail` varchar(4) NOT NULL,
  `source` varchar(64) NOT NULL,
  `live_id` bigint NOT NULL,
  `quiz_id` bigint NOT NULL,
  `claim_id` bigint NOT NULL DEFAULT 0,
  `event_id` bigint NOT NULL DEFAULT 0,
  `events` bigint NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_order` (`platform`,`no`),
  KEY `ix_order_member` (`member_id`),
  KEY `idx_orders_paid_at` (`paid_at`),
  KEY `idx_orders_live_id` (`live_id`),
  KEY `idx_orders_quiz_id` (`quiz_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `order_items` (
  `order_id` bigint NOT NULL,
  `line` bigint NOT NULL,
  `sku` varchar(64) NOT NULL,
  `product` varchar(200) NOT NULL,
  `category` varchar(64) NOT NULL,
  `quantity` bigint NOT NULL,
  `amount_fen` bigint NOT NULL,
  PRIMARY KEY (`order_id`,`line`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `order_refunds` (
  `order_id` bigint NOT NULL,
  `refund_no` varchar(64) NOT NULL,
  `amount_fen` bigint NOT NULL,
  `refunded_at` datetime(6) NOT NULL,
  PRIMARY KEY (`order_id`,`refund_no`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `order_claims` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `order_id` bigint NOT NULL,
  `platform` varchar(16) NOT NULL,
  `no` varchar(64) NOT NULL,
  `state` varchar(8) NOT NULL,
  `reason` varchar(32) NOT NULL,
  `phone_tail` varchar(4) NOT NULL,
  `at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_order_claim_member` (`member_id`,`state`),
  KEY `ix_order_claim_state` (`state`,`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `order_settings` (
  `id` bigint NOT NULL,
  `match_phone` tinyint(1) NOT NULL,
  `claim_days` bigint NOT NULL,
  `pending_days` bigint NOT NULL,
  `wrong_limit` bigint NOT NULL,
  `pending_limit` bigint NOT NULL,
  `platforms` text NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `imports` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `kind` varchar(32) NOT NULL,
  `work_id` bigint NOT NULL DEFAULT 0,
  `name` varchar(200) NOT NULL,
  `lines` bigint NOT NULL,
  `bad` bigint NOT NULL,
  `actor` varchar(64) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_imports_kind` (`kind`),
  KEY `idx_imports_work_id` (`work_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `import_lines` (
  `import_id` bigint NOT NULL,
  `line` bigint NOT NULL,
  `label` varchar(255) NOT NULL,
  `state` varchar(8) NOT NULL,
  `error_json` text NOT NULL,
  `body_json` text NOT NULL,
  PRIMARY KEY (`import_id`,`line`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `customers` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `phone_index` varchar(64) NOT NULL,
  `phone_sealed` varchar(255) NOT NULL,
  `name` varchar(64) NOT NULL,
  `level` varchar(64) NOT NULL,
  `tier_id` bigint NOT NULL,
  `tags` text NOT NULL,
  `last_order_at` datetime(6) DEFAULT NULL,
  `consent` varchar(3) NOT NULL,
  `import_id` bigint NOT NULL,
  `line` bigint NOT NULL,
  `member_id` bigint NOT NULL DEFAULT 0,
  `matched_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `idx_customers_phone_index` (`phone_index`),
  KEY `idx_customers_import_id` (`import_id`),
  KEY `idx_customers_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `consents` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `member_id` bigint NOT NULL,
  `kind` varchar(8) NOT NULL,
  `given` tinyint(1) NOT NULL,
  `source` varchar(8) NOT NULL,
  `evidence` varchar(255) NOT NULL DEFAULT '',
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_consents_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `recalls` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `version` bigint NOT NULL DEFAULT 0,
  `name` varchar(64) NOT NULL,
  `import_id` bigint NOT NULL,
  `sms` text NOT NULL,
  `call_json` text NOT NULL,
  `call_after` bigint NOT NULL DEFAULT 0,
  `days` bigint NOT NULL,
  `tag_id` bigint NOT NULL,
  `state` varchar(12) NOT NULL,
  `started_at` datetime(6) DEFAULT NULL,
  `ends_at` datetime(6) DEFAULT NULL,
  `call_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_recalls_call_at` (`call_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `recall_people` (
  `recall_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `customer_id` bigint NOT NULL,
  `came_at` datetime(6) DEFAULT NULL,
  `came_by` varchar(12) NOT NULL DEFAULT '',
  PRIMARY KEY (`recall_id`,`member_id`),
  KEY `idx_recall_people_member_id` (`member_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `sops` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL,
  `state` varchar(8) NOT NULL,
  `version` bigint NOT NULL,
  `turn` bigint NOT NULL DEFAULT 0,
  `next_at` datetime(6) DEFAULT NULL,
  `resumed_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `idx_sops_state` (`state`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `sop_versions` (
  `sop_id` bigint NOT NULL,
  `version` bigint NOT NULL,
  `definition` text NOT NULL,
  `actor` varchar(64) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`sop_id`,`version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `sop_enrolments` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `sop_id` bigint NOT NULL,
  `member_id` bigint NOT NULL,
  `running` bigint DEFAULT NULL,
  `no` bigint NOT NULL,
  `version` bigint NOT NULL,
  `moved` tinyint(1) NOT NULL DEFAULT 0,
  `step` varchar(32) NOT NULL,
  `reached_at` datetime(6) NOT NULL,
  `due_at` datetime(6) DEFAULT NULL,
  `state` varchar(8) NOT NULL,
  `reason` varchar(12) NOT NULL DEFAULT '',
  `entered_at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  `exited_at` datetime(6) DEFAULT NULL,
  `goal_at` datetime(6) DEFAULT NULL,
  `watch_till` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_sop_running` (`sop_id`,`member_id`,`running`),
  KEY `ix_sop_due` (`sop_id`,`due_at`),
  KEY `ix_sop_member` (`member_id`,`watch_till`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `sop_firings` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `sop_id` bigint NOT NULL,
  `step` varchar(32) NOT NULL,
  `kind` varchar(8) NOT NULL,
  `version` bigint NOT NULL,
  `state` varchar(8) NOT NULL,
  `late` tinyint(1) NOT NULL DEFAULT 0,
  `at` datetime(6) NOT NULL,
  `cursor_id` bigint NOT NULL DEFAULT 0,
  `audience` bigint NOT NULL DEFAULT 0,
  `run_id` bigint NOT NULL DEFAULT 0,
  `members` longblob DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  `done_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_sop_firing` (`sop_id`,`step`),
  KEY `idx_sop_firings_state` (`state`),
  KEY `idx_sop_firings_run_id` (`run_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `sop_passes` (
  `enrolment_id` bigint NOT NULL,
  `step` varchar(32) NOT NULL,
  `sop_id` bigint NOT NULL,
  `firing_id` bigint NOT NULL DEFAULT 0,
  `member_id` bigint NOT NULL,
  `outcome` varchar(12) NOT NULL,
  `account` varchar(32) NOT NULL DEFAULT '',
  `granted` bigint NOT NULL DEFAULT 0,
  `member_coupon_id` bigint NOT NULL DEFAULT 0,
  `note` varchar(24) NOT NULL DEFAULT '',
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`enrolment_id`,`step`),
  KEY `ix_sop_pass` (`sop_id`,`step`,`outcome`),
  KEY `idx_sop_passes_member_id` (`member_id`)
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
