//! `egn plot`: charts and table from records alone.

use anyhow::{Result, anyhow};
use egn_train::record::reader::find_records;

use crate::{
    cli::PlotArgs, commands::complaint::complain, compare::writable::check_writable, exit_code::SUCCESS,
    pictures::present::present, usage::Usage,
};

pub(super) fn plot(args: &PlotArgs) -> Result<u8> {
    let (records, errors) = find_records(&args.records);
    errors.iter().for_each(|error| complain(error));
    if records.is_empty() {
        return Err(anyhow!(Usage(format!("no record under {}", args.records.display()))));
    }
    check_writable(&args.plots)?;
    present(records, &args.plots, args.json)?;
    Ok(SUCCESS)
}
