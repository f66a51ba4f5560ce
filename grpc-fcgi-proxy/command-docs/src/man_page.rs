//! The man pages. clap's own layout would list every flag in the synopsis, and again for `check`, and reflow the examples.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

const FILES: &str =
    "/etc/default/grpc-fcgi-proxy: the environment variables of grpc-fcgi-proxy.service.";
const SIGNALS: &str = "\
SIGTERM, SIGINT and SIGQUIT drain the proxy, and a second one ends it at once. SIGHUP reads the TLS files again and replaces the \
resident workers.";
const SERVICE: &str = "\
With NOTIFY_SOCKET in the environment, the proxy notifies systemd when it is ready, reloads or stops, and with WATCHDOG_USEC \
that its threads respond.";

pub(crate) fn of_proxy(command: Command) -> io::Result<Vec<u8>> {
    let examples = command
        .get_after_long_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let usage = "grpc-fcgi-proxy [OPTION]... ENTRY_SCRIPT\ngrpc-fcgi-proxy check [OPTION]... ENTRY_SCRIPT\n\
         grpc-fcgi-proxy health [OPTION]...";
    let mut page = begin(command, usage)?;
    let man = &page.man;
    man.render_options_section(&mut page.content)?;
    man.render_subcommands_section(&mut page.content)?;
    page.paragraph("SIGNALS", SIGNALS)?;
    page.paragraph("SERVICE MANAGER", SERVICE)?;
    page.paragraph("FILES", FILES)?;
    // The heading is that of the section.
    page.verbatim("EXAMPLES", examples.trim_start_matches("Examples:\n"))?;
    page.paragraph(
        "SEE ALSO",
        "grpc-fcgi-proxy-check(1), grpc-fcgi-proxy-health(1), systemctl(1)",
    )?;
    Ok(page.content)
}

/// `check` takes the flags of the proxy, and `health` has its own.
pub(crate) fn of_command(command: &Command, name: &str) -> io::Result<Vec<u8>> {
    let takes_all = command
        .get_arguments()
        .any(|arg| arg.get_id() == "entry_script");
    let arguments = if takes_all { " ENTRY_SCRIPT" } else { "" };
    let usage = format!("grpc-fcgi-proxy {name} [OPTION]...{arguments}");
    let command = command.clone().name(format!("grpc-fcgi-proxy-{name}"));
    let mut page = begin(command, &usage)?;
    if takes_all {
        page.paragraph("OPTIONS", "Those of grpc-fcgi-proxy(1).")?;
    } else {
        page.man.render_options_section(&mut page.content)?;
    }
    page.paragraph("SEE ALSO", "grpc-fcgi-proxy(1)")?;
    Ok(page.content)
}

struct Page {
    man: Man,
    content: Vec<u8>,
}

/// The sections before the options.
fn begin(command: Command, usage: &str) -> io::Result<Page> {
    let mut page = Page {
        man: Man::new(command).manual("grpc-fcgi-proxy"),
        content: Vec::new(),
    };
    page.man.render_title(&mut page.content)?;
    page.man.render_name_section(&mut page.content)?;
    page.verbatim("SYNOPSIS", usage)?;
    page.man.render_description_section(&mut page.content)?;
    Ok(page)
}

impl Page {
    fn paragraph(&mut self, heading: &str, text: &str) -> io::Result<()> {
        let mut roff = Roff::new();
        roff.control("SH", [heading]).text([roman(text)]);
        roff.to_writer(&mut self.content)
    }

    /// Lines as they stand.
    fn verbatim(&mut self, heading: &str, text: &str) -> io::Result<()> {
        let mut roff = Roff::new();
        roff.control("SH", [heading])
            .control("nf", [])
            .text([roman(text)])
            .control("fi", []);
        roff.to_writer(&mut self.content)
    }
}
