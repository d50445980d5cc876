//! Ranks the nodes of a snapshot for a job.
