//! The list of cases: the one place that gives a case its name, its sentence and its test.

cases! {$;
    // ---- events ----
    /// `Ok` from ingest means written, and not taken note of.
    events::ok_means_written;
    /// An event that is sent again changes nothing.
    events::event_sent_again_is_absorbed;
    /// The same id twice within a batch counts once.
    events::same_id_twice_in_a_batch_counts_once;
    /// Events of one kind are told apart to the microsecond.
    timeline::events_within_a_second_are_told_apart;
    /// A report of another agent with the same identity is absorbed.
    events::same_event_of_another_agent_is_absorbed;
    /// The same id in two projects is two events.
    events::same_id_in_two_projects_is_two_events;
    /// The same task id of two engines is two tasks.
    events::same_task_id_of_two_engines_is_two_tasks;
    /// Each task that a batch changed is named once, with the step that it made.
    events::receipt_names_each_changed_task_once;
    /// A late fact changes the task and makes no step.
    events::late_fact_changes_the_task_without_a_step;
    /// A batch that is sent again leaves the same rows and counters.
    events::repeated_batch_leaves_the_same_rows;
    /// Poison costs itself only.
    events::poison_does_not_fail_its_neighbours;
    /// An event of a project that does not exist is poison.
    events::event_of_an_unknown_project_is_poison;
    /// A frame for the quarantine fails nothing, once or twice.
    events::quarantined_frame_fails_nothing;
    /// A batch with nothing in it is stored.
    events::empty_batch_is_stored;
    /// A timeline is in the order of time, then of an attempt.
    timeline::timeline_is_in_the_order_of_an_attempt;
    /// Pages of a timeline joined together hold each event once.
    timeline::timeline_pages_are_complete;
    /// The timeline of an unknown task is empty.
    timeline::timeline_of_an_unknown_task_is_empty;
    /// Data comes back byte for byte.
    timeline::event_data_comes_back_byte_for_byte;
    /// An event that is not about a task makes no task.
    events::event_about_no_task_makes_no_task;
    /// Batches of one task that come in at once all count.
    events::concurrent_batches_of_one_task_all_count;
    /// The agent that reported an event first stays its agent.
    timeline::first_reporter_stays_on_the_event;

    // ---- streams ----
    /// A stream's position moves with its events.
    streams::position_moves_with_the_events;
    /// Positions that are sent again change nothing.
    streams::positions_sent_again_change_nothing;
    /// A hole in a stream refuses the whole batch.
    streams::hole_refuses_the_whole_batch;
    /// A declared gap fills a hole, once.
    streams::declared_gap_fills_the_hole;
    /// A gap takes nothing that is stored.
    streams::gap_takes_nothing_that_is_stored;
    /// A stream that was forgotten begins anew, without what was declared of it.
    streams::forgotten_stream_begins_anew;
    /// A stream that moves in a batch is not the one that makes room for a new stream of the batch.
    streams::stream_of_the_batch_is_not_forgotten;
    /// Streams of other agents, projects and names are apart.
    streams::streams_are_apart;
    /// Parts of a stream that come in at once leave no hole.
    streams::concurrent_parts_of_a_stream_leave_no_hole;

    // ---- namesakes ----
    /// An event of one engine leaves the task of the same id of another engine alone.
    namesakes::update_leaves_the_namesake_of_another_engine_alone;
    /// A timeline leaves out the events of the same task id of another engine.
    namesakes::timeline_leaves_out_the_namesake_of_another_engine;
    /// A timeline holds what came late, from days before.
    namesakes::timeline_holds_what_came_late_from_before;
    /// A late event does not set back when a queue was last seen.
    namesakes::late_event_does_not_set_a_queue_back;
    /// A retry is not shown on the same task id of another engine.
    namesakes::retry_is_not_shown_on_a_namesake_of_another_engine;

    // ---- merge ----
    /// Any order of the same events, in any batches, ends in the same record.
    merge::any_order_and_batching_ends_in_the_same_record;
    /// State counters equal a count over the tasks.
    merge::state_counters_equal_a_recount;
    /// Minute counters equal a count over the tasks.
    merge::minute_counters_equal_a_recount;
    /// Facets equal a count over the tasks.
    merge::facets_equal_a_recount;
    /// Counts of workers and queues equal a count over the tasks.
    merge::worker_and_queue_counts_equal_a_recount;

    // ---- tasks ----
    /// An unknown task is absent.
    tasks::unknown_task_is_absent;
    /// A task shows what its record shows, in detail and in lists.
    tasks::task_shows_what_its_record_shows;
    /// A task is as old as its first receipt.
    tasks::task_is_as_old_as_its_first_receipt;
    /// A retry within the task keeps one row and counts.
    tasks::attempts_of_one_task_stay_one_row;
    /// A list shows the first line of a long message only.
    tasks::list_shows_the_first_line_of_a_message;
    /// A tree holds the tasks of one root, oldest first.
    tasks::tree_holds_the_tasks_of_one_root;
    /// A tree says when it was cut.
    tasks::tree_says_when_it_was_cut;
    /// The tree of an unknown task is absent.
    tasks::tree_of_an_unknown_task_is_absent;
    /// Facets are cut to the most frequent.
    tasks::facets_are_cut_to_the_most_frequent;
    /// Minute counts keep to their window.
    tasks::minute_counts_keep_to_their_window;
    /// A project without tasks has empty numbers.
    tasks::empty_project_has_empty_numbers;

    // ---- lists ----
    /// Each sort, in pages of any size, shows each task once and in order, rows without the value last.
    lists::every_sort_pages_completely_in_order;
    /// A walk over pages holds each task that did not change once, while others come.
    lists::page_walk_holds_what_did_not_change_while_others_come;
    /// Ties are broken by engine and task id in the direction of the sort.
    lists::ties_follow_the_direction_of_the_sort;
    /// A filter by states takes any of them.
    filters::states_filter_takes_any_of_them;
    /// Filters by name, queue, worker and engine are exact.
    filters::exact_filters_are_exact;
    /// A window takes its start and leaves its end.
    filters::window_takes_its_start_and_leaves_its_end;
    /// Search takes the task id and the name without regard to ASCII case.
    filters::search_ignores_ascii_case;
    /// Search takes the arguments, and not the result.
    filters::search_takes_arguments_and_not_results;
    /// Characters that mean something to `LIKE` are letters in a search.
    filters::search_takes_metacharacters_as_letters;
    /// Filters combine, in pages too.
    filters::filters_combine_in_pages;
    /// A cursor of another filter, sort or project is refused.
    lists::cursor_of_another_query_is_refused;
    /// A cursor that nobody made is refused.
    lists::invented_cursor_is_refused;
    /// A list of an unknown project is empty.
    lists::list_of_an_unknown_project_is_empty;

    // ---- isolation ----
    /// Data of one project never changes an answer about another one.
    isolation::data_of_another_project_changes_no_answer;
    /// Another project's ids find nothing.
    isolation::ids_of_another_project_find_nothing;

    // ---- commands ----
    /// An issued command is pending, and holds what was asked for.
    commands::issued_command_is_pending;
    /// The same id again answers the first row.
    commands::same_command_id_answers_the_first_row;
    /// The same key with the same request answers the first row.
    commands::same_key_and_digest_answers_the_first_row;
    /// The same key with another request is refused.
    commands::same_key_with_another_digest_is_refused;
    /// A key belongs to its project.
    commands::idempotency_key_belongs_to_its_project;
    /// A command that is issued for an open link is dispatched on it at once, and nobody else is handed it.
    issued::command_for_an_open_link_is_dispatched_at_once;
    /// A command that is issued for a link that is not open, or not its agent's, waits for a claim.
    issued::command_for_another_link_stays_pending;
    /// A command that was claimed as it was issued is lost with its link.
    issued::command_claimed_at_once_is_lost_with_its_link;
    /// Of many callers one gets a command.
    commands::command_is_claimed_once_by_many_callers;
    /// Commands are handed out oldest first, up to the limit.
    commands::claims_are_oldest_first_up_to_the_limit;
    /// A claim that names commands takes no other.
    commands::claim_for_some_commands_leaves_the_others;
    /// A command for another engine waits for a process that serves it.
    commands::claim_leaves_other_engines;
    /// A command past its deadline is not handed out.
    commands::claim_leaves_what_is_past_its_deadline;
    /// A command of another agent is not handed out.
    commands::claim_leaves_other_agents;
    /// A command's times follow its states.
    outcomes::times_follow_the_states;
    /// Another agent cannot change a command.
    outcomes::another_agent_changes_nothing;
    /// An outcome is final: another one is absorbed.
    outcomes::outcome_is_final;
    /// A late answer settles what was unknown.
    outcomes::late_answer_settles_unknown;
    /// A lost link gives back what is safe to send again, and leaves the rest unknown.
    outcomes::lost_link_gives_back_what_is_safe;
    /// What is heard of an earlier try changes nothing, unless it says that the command was done.
    outcomes::earlier_try_speaks_for_itself_only;
    /// A lost link touches its own commands only.
    outcomes::lost_link_touches_its_own_commands_only;
    /// A deadline times out what was never sent, and leaves the rest unknown.
    outcomes::deadline_tells_sent_from_unsent;
    /// Expiry keeps to its limit.
    outcomes::expiry_keeps_to_its_limit;
    /// Pages of commands are complete, latest first.
    commands::command_pages_are_complete_latest_first;
    /// Filters of commands are exact.
    commands::command_filters_are_exact;
    /// The name of the person behind a command is kept.
    commands::name_of_the_person_is_kept;
    /// A command that is issued or given back wakes the dispatchers.
    commands::new_command_wakes_dispatchers;

    // ---- retries ----
    /// A retry is shown on both tasks.
    retries::retry_is_shown_on_both_tasks;
    /// A retry is shown on tasks that come in after it.
    retries::retry_is_shown_on_tasks_that_come_later;
    /// A retry that is reported twice is one link.
    retries::repeated_result_keeps_one_link;
    /// An absorbed input links nothing.
    retries::absorbed_input_links_nothing;

    // ---- fleet ----
    /// A minted agent is found by its token.
    agents::minted_agent_is_found_by_its_token;
    /// The same agent id again answers the first row.
    agents::same_agent_id_answers_the_first_row;
    /// A name is taken until its agent is revoked.
    agents::agent_name_is_free_again_after_revocation;
    /// An old token works until its end.
    agents::old_token_works_until_its_end;
    /// A rotation that is sent again keeps the old token.
    agents::repeated_rotation_keeps_the_old_token;
    /// Revocation ends both tokens, and again answers the same row.
    agents::revocation_is_final;
    /// A revoked agent gets no new token.
    agents::revoked_agent_gets_no_token;
    /// Agents are by name, revoked ones last.
    agents::agents_are_by_name_revoked_last;
    /// A link shows what its hello said, until it closes.
    fleet::link_shows_until_it_closes;
    /// A link that is opened again by the same write is one link.
    fleet::repeated_open_is_one_link;
    /// Times of heartbeats never move back.
    fleet::heartbeat_times_never_move_back;
    /// Declared loss adds up over its sources and never goes back.
    fleet::declared_loss_adds_up;
    /// Loss stays counted when there are more sources than are told apart.
    fleet::loss_of_many_runtimes_stays_counted;
    /// The latest refusal is shown, and all are counted.
    fleet::refusals_are_counted_and_the_latest_shown;
    /// A report of an unknown or revoked agent is passed over.
    fleet::report_of_a_gone_agent_is_passed_over;
    /// Revocation wakes whoever holds links.
    agents::revocation_wakes_link_holders;

    // ---- workers ----
    /// A sighting shows its facts and keeps those that a later one leaves out.
    workers::sighting_keeps_what_a_later_one_leaves_out;
    /// An older sighting says nothing.
    workers::older_sighting_says_nothing;
    /// What a worker is like is told by the latest description, even where it is older than the latest sighting.
    workers::busy_worker_is_described_by_an_older_heartbeat;
    /// A worker that stops is offline, and online again when it is seen later.
    workers::stopped_worker_is_offline_until_seen_again;
    /// A worker goes with the link of its own process.
    workers::worker_goes_with_its_own_link;
    /// A worker that moved to another link stays.
    workers::worker_of_a_newer_link_stays;
    /// A silent worker is swept, once.
    workers::silent_worker_is_swept_once;
    /// A silent worker whose own process is connected stays.
    workers::silent_worker_with_an_open_link_stays;
    /// Whose process a worker is counts, though others described it since.
    workers::own_link_counts_though_others_described_the_worker_since;
    /// A worker that its link does not vouch for any more is swept, and stays when that link closes.
    workers::disowned_worker_depends_on_being_seen;
    /// Events of tasks show the workers and queues that they name.
    named::events_show_workers_and_queues;
    /// An event that comes late does not bring its worker back.
    named::late_event_does_not_bring_a_worker_back;
    /// A queue keeps its latest measured depth.
    workers::queue_keeps_its_latest_depth;

    // ---- identity ----
    /// Of many set-ups at once one succeeds.
    identity::one_of_many_setups_succeeds;
    /// A wrong or lapsed setup token is refused.
    identity::wrong_or_lapsed_setup_token_is_refused;
    /// The same set-up again answers the first user.
    identity::repeated_setup_answers_the_first_user;
    /// The operator sets up without a token.
    identity::operator_sets_up_without_a_token;
    /// A setup token is replaced by the next one and used up.
    identity::setup_token_is_replaced_and_used_up;
    /// A project's slug is taken once; the same id again answers the first row.
    identity::project_slug_is_taken_once;

    // ---- people ----
    /// An address belongs to one person; the same id again answers the first row.
    people::address_belongs_to_one_person;
    /// A person's projects come with their roles.
    people::memberships_name_the_roles;
    /// A session lives until it lapses, expires or ends.
    people::session_lives_until_it_lapses_or_ends;
    /// A remembered session outlives the idle time.
    people::remembered_session_outlives_the_idle_time;
    /// Use moves the idle deadline; an ended session stays ended.
    people::use_moves_the_idle_deadline;
    /// A new password ends sessions when asked to.
    people::new_password_ends_sessions;
    /// A session starts only with the password that was checked for it.
    people::session_starts_with_the_password_that_was_checked;
    /// A password is set in place of the expected one only, when one is expected.
    people::password_is_set_in_place_of_the_expected_one;
    /// A sign-in is recorded on the person, once.
    people::sign_in_is_recorded_on_the_person;

    // ---- audit ----
    /// Entries that are appended at once make one line.
    audit::concurrent_appends_make_one_line;
    /// An entry that is appended twice is there once.
    audit::repeated_append_is_there_once;
    /// An entry commits with its effect, and is absent without it.
    audit::entry_commits_with_its_effect;
    /// A command that is refused, repeated or not moved leaves no entry.
    audit::command_without_effect_leaves_no_entry;
    /// A person, project or agent that does not change leaves no entry.
    audit::refused_change_of_people_or_agents_leaves_no_entry;
    /// An effect that is sent again leaves one entry.
    audit::effect_that_is_sent_again_leaves_one_entry;
    /// Chains are apart.
    audit::chains_are_apart;
    /// Pages of a chain are complete, latest first.
    audit::chain_pages_are_complete_latest_first;
    /// A page keeps to actions with a prefix.
    audit::page_keeps_to_a_prefix_of_actions;
    /// A chain that is read back verifies, to its head.
    audit::chain_read_back_verifies;

    // ---- coordination ----
    /// A lease has one holder until it lapses.
    coordination::lease_has_one_holder;
    /// The fencing number grows with each change of holder.
    coordination::fence_grows_with_each_holder;
    /// Of many callers one takes a lease.
    coordination::lease_is_taken_by_one_of_many;
    /// A healthy store says so.
    coordination::healthy_store_says_so;
    /// Only who holds the lease sweeps and maintains.
    coordination::stale_holder_is_refused;
    /// A lease whose end is far ahead is free when its holder is gone.
    coordination::lease_ends_with_its_holder;
    /// A renewal may end earlier than what it renews.
    coordination::renewal_sets_the_end_anew;
    /// Who is not known takes no lease.
    coordination::unknown_brain_takes_no_lease;

    // ---- several brains ----
    /// A beat counts one up and names everybody.
    replicas::beat_counts_up_and_names_all;
    /// Who was buried learns of it, and does not come back by a beat.
    replicas::buried_brain_learns_of_it;
    /// Whoever beat since is not buried.
    replicas::living_brain_is_not_buried;
    /// Of many that bury a brain one does.
    replicas::brain_is_buried_once_by_many;
    /// A burial closes the links of that brain, and no others.
    replicas::burial_closes_the_links_of_the_dead;
    /// A burial settles what must not be sent twice, and gives back what may be.
    replicas::burial_tells_the_commands_in_flight;
    /// A brain that is not known opens no link.
    replicas::unknown_brain_opens_no_link;
    /// A link that is not open is handed no command.
    replicas::closed_link_is_handed_nothing;
    /// A link says what its process can do.
    replicas::link_says_what_its_process_can_do;
    /// The owner of a worker is the open link of its own process.
    replicas::owners_are_open_links;
    /// What is announced is heard by all, in order.
    announcements::announcements_are_heard_by_all_in_order;
    /// An announcement that does not fit is refused.
    announcements::announcement_that_does_not_fit_is_refused;
    /// The largest announcement arrives as it was sent.
    announcements::largest_announcement_arrives_whole;
    /// A lost right and ended sessions wake who waits for them.
    announcements::changes_wake_who_waits_for_them;
    /// Tasks are found by their keys, each once, in their project only.
    tasks::tasks_are_found_by_their_keys;
}
