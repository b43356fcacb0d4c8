//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// z4j: the control plane for background tasks.
#[derive(Debug, Parser)]
#[command(name = "z4j", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the brain keeps what it keeps; the same for every command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Place {
    /// The folder of the database, secrets and z4j.toml [env: Z4J_DATA_DIR; default: the platform's data folder + /z4j]
    #[arg(long, global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The database; absent: the SQLite file z4j.db in the data folder [env: Z4J_DATABASE_URL]
    #[arg(long, global = true)]
    pub(crate) database_url: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the brain
    Serve(Serve),
    /// Bring the database to this version's schema
    Migrate,
    /// Check the set-up and say in words what is wrong
    Doctor,
    /// Say which version this is
    Version,
    /// Mint, revoke and rotate agents
    #[command(subcommand)]
    Agent(Agent),
    /// Create people and set passwords
    #[command(subcommand)]
    User(User),
    /// Verify the audit chain and export its heads
    #[command(subcommand)]
    Audit(Audit),
    /// Print the OpenAPI document of the REST interface
    Openapi,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on [env: Z4J_BIND; default: 127.0.0.1:7700]
    #[arg(long)]
    pub(crate) bind: Option<SocketAddr>,
    /// The URL that people use, such as https://z4j.example.org [env: Z4J_PUBLIC_URL]
    #[arg(long)]
    pub(crate) public_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Make an agent and print its credentials once
    Mint {
        /// The project's slug
        #[arg(long)]
        project: String,
        /// The agent's name, unique in the project
        #[arg(long)]
        name: String,
    },
    /// End an agent's rights
    Revoke {
        /// The project's slug
        #[arg(long)]
        project: String,
        /// The agent's name or id
        #[arg(long)]
        name: String,
    },
    /// Give an agent a new token; the old one works for a day
    Rotate {
        /// The project's slug
        #[arg(long)]
        project: String,
        /// The agent's name or id
        #[arg(long)]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Create a person; the password is read from standard input
    Create {
        /// The e-mail address to sign in with
        #[arg(long)]
        email: String,
        /// The name to show
        #[arg(long)]
        name: Option<String>,
        /// May do everything everywhere
        #[arg(long)]
        admin: bool,
        /// A project to be a member of
        #[arg(long, requires = "role")]
        project: Option<String>,
        /// viewer, auditor, operator or admin
        #[arg(long, requires = "project")]
        role: Option<String>,
    },
    /// Set a person's password, read from standard input, and end their sessions
    SetPassword {
        /// The e-mail address
        #[arg(long)]
        email: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check every entry of every chain
    Verify,
    /// Print the head of every chain, to be kept elsewhere
    ExportHead,
}
