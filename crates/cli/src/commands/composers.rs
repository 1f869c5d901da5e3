//! `cantus composers`: what there is to choose from.

use crate::terminal::say;
use cantus_composers::registry;
use miette::Result;

/// List the composers: what they write, for which folders, and their configurations.
#[derive(clap::Args)]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    for spec in registry::COMPOSERS {
        if arguments.json {
            let configurations: Vec<_> = spec
                .configurations
                .iter()
                .map(|c| serde_json::json!({"name": c.name, "summary": c.summary, "settings": spec.settings(c.name)}))
                .collect();
            say(serde_json::json!({
                "id": spec.id, "version": spec.version, "writes": spec.writes, "suits": spec.suits, "title": spec.title, "source": spec.source,
                "departures": spec.departures, "encoding": spec.encoding, "configurations": configurations,
            }))?;
            continue;
        }
        say(format!(
            "{}\n  writes      {}\n  suits       {}\n  is          {}\n  source      {}\n  departures  {}\n  encoding    {}",
            spec.id, spec.writes, spec.suits, spec.title, spec.source, spec.departures, spec.encoding
        ))?;
        // What learns nothing is its own model.
        let option = if spec.create.is_some() { "-c" } else { "-m" };
        let width = spec.configurations.iter().map(|c| c.name.len()).max().unwrap_or(0);
        for (k, configuration) in spec.configurations.iter().enumerate() {
            let usage = if k == 0 { spec.id.to_owned() } else { format!("{}:{}", spec.id, configuration.name) };
            say(format!("  {:<width$}  {}  ({option} {usage})", configuration.name, configuration.summary))?;
        }
    }
    Ok(())
}
