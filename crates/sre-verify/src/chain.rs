//! Whether orders follow from each other: what one left is where the next begins.
//!
//! Each receipt of a chain is verified by itself. What is checked here is that they belong
//! together: that every folder an order began with is empty, or is what an earlier order of the
//! chain left.

use std::collections::HashMap;

use sre_core::{CommitResult, OrderId, Tree, TreeDigest};
use sre_da::Store;

use crate::evidence::Fetched;
use crate::report::Finding;
use crate::{Verifier, call};

/// A folder whose state is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// `/workspace`.
    Work,
    /// `$HOME`.
    Home,
}

/// A folder of one order that began as what another left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// The order that left it.
    pub from: OrderId,
    /// The order that began with it.
    pub to: OrderId,
    /// Which folder of the later order.
    pub folder: Folder,
    /// The tree that was handed on.
    pub tree: TreeDigest,
}

/// What was found of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Every order but the first begins with what an earlier one left.
    Whole(Vec<ChainLink>),
    /// An order begins with files that no earlier order of the chain left.
    Broken {
        /// Which order.
        order_id: OrderId,
        /// Why it does not follow.
        reason: String,
    },
}

impl Verifier {
    /// Checks that `claims` are a chain, in the order in which they are given. Whether each of them
    /// is true is [`Verify::verify_result`](crate::Verify::verify_result)'s question.
    pub async fn verify_chain(&self, claims: &[CommitResult]) -> Chain {
        let empty = Tree::default().digest();
        let (mut links, mut left_by) = (Vec::new(), HashMap::<TreeDigest, OrderId>::new());
        for (index, claim) in claims.iter().enumerate() {
            let broken = |reason: String| Chain::Broken {
                order_id: claim.order_id.clone(),
                reason,
            };
            let ends = match ends(self.store(), claim).await {
                Ok(ends) => ends,
                Err(finding) => return broken(finding.message),
            };
            let mut follows = index == 0;
            for (folder, tree) in ends.began {
                match left_by.get(&tree) {
                    Some(from) => {
                        follows = true;
                        links.push(ChainLink {
                            from: from.clone(),
                            to: claim.order_id.clone(),
                            folder,
                            tree,
                        });
                    }
                    // The first order brings the files that the chain begins with.
                    None if index == 0 || tree == empty => {}
                    None => {
                        return broken(format!(
                            "it begins with the tree {tree}, which no earlier order of the chain left"
                        ));
                    }
                }
            }
            if !follows {
                return broken(String::from(
                    "it begins with nothing that an earlier order of the chain left",
                ));
            }
            for tree in ends.left {
                left_by.insert(tree, claim.order_id.clone());
            }
        }
        Chain::Whole(links)
    }
}

/// What one order began with and what it left.
struct Ends {
    began: Vec<(Folder, TreeDigest)>,
    left: Vec<TreeDigest>,
}

async fn ends(store: &dyn Store, claim: &CommitResult) -> Result<Ends, Finding> {
    let fetched = Fetched::all(store, claim).await;
    let invocation = call::invocation(&fetched, claim)?
        .ok_or_else(|| Finding::tampered("it has no invocation, so it hands no files on"))?;
    let outcome: sre_core::Canonical<sre_core::Outcome> =
        fetched.value("outcome", claim.commitment.outcome)?;
    let began = [
        (Folder::Work, Some(invocation.work)),
        (Folder::Home, invocation.home),
    ];
    Ok(Ends {
        began: began
            .into_iter()
            .filter_map(|(folder, tree)| Some((folder, tree?)))
            .collect(),
        left: [outcome.workspace, outcome.home]
            .into_iter()
            .flatten()
            .collect(),
    })
}
