// SPDX-License-Identifier: Apache-2.0
//! Writes a dataset's policy as an offer in the terms of ODRL 2.2. `docs/purposes.md` says what the terms of our own mean.

use isthmus_sdk::{
	ist, AccountId, Balance, CatalogEntry, Condition, Policy, PurposeCode, PurposeCodes,
	LEAVES_PER_EPOCH,
};
use isthmus_tables::card;
use serde_json::{json, Value};

/// The name space of our own operands.
pub(super) const OWN: &str = "urn:isthmus:odrl:";
/// The profile that defines them.
const PROFILE: &str = "urn:isthmus:odrl";

/// Returns the identifier of an account.
pub(super) fn party(account: &AccountId) -> String {
	format!("urn:isthmus:{account}")
}

/// Returns the identifier of a dataset: its address.
pub(super) fn asset(entry: &CatalogEntry) -> String {
	card::url(&entry.owner.to_string(), entry.id)
}

/// Returns the offer that a dataset's policy makes to everyone; `None` if its owner decides about each request.
pub(super) fn offer(entry: &CatalogEntry) -> Option<Value> {
	let (policy, condition) = entry.policy.as_ref()?;
	if entry.dataset.closed {
		return None;
	}
	let permission = |price: Balance, firm: bool| {
		let mut permission = json!({
			"odrl:target": { "@id": asset(entry) },
			"odrl:assigner": { "@id": party(&entry.controller) },
			"odrl:action": { "@id": "odrl:use" },
			"odrl:constraint": constraints(policy, condition.as_ref(), firm),
		});
		if price > 0 {
			permission["odrl:duty"] = payment(price);
		}
		permission
	};
	let mut permissions = vec![permission(policy.price, false)];
	permissions.extend(policy.firm_price.map(|price| permission(price, true)));
	let uid = format!("{}:{}:offer", party(&entry.owner), entry.id);
	Some(json!({
		"@id": uid,
		// Programs that do not load ODRL's vocabulary would not know that an offer is a policy.
		"@type": ["odrl:Policy", "odrl:Offer"],
		"odrl:uid": { "@id": uid },
		"odrl:profile": { "@id": PROFILE },
		"odrl:permission": permissions,
	}))
}

/// Returns the duty to pay at least an amount.
fn payment(price: Balance) -> Value {
	let amount = ist(price);
	let amount = amount.split(' ').next().unwrap_or_default();
	let mut least = constraint(
		"odrl:payAmount",
		"gteq",
		json!({ "@value": amount, "@type": "xsd:decimal" }),
	);
	least["odrl:unit"] = json!({ "@id": "ist:IST" });
	let action = json!({ "rdf:value": { "@id": "odrl:compensate" }, "odrl:refinement": least });
	json!({ "odrl:action": action })
}

fn constraint(left: &str, operator: &str, right: Value) -> Value {
	json!({
		"@type": "odrl:Constraint",
		"odrl:leftOperand": { "@id": left },
		"odrl:operator": { "@id": format!("odrl:{operator}") },
		"odrl:rightOperand": right,
	})
}

fn constraints(policy: &Policy, condition: Option<&Condition>, firm: bool) -> Vec<Value> {
	let most = |left: &str, most: u64, unit: &str| {
		let mut most = constraint(left, "lteq", json!(most));
		most["odrl:unit"] = json!({ "@id": unit });
		most
	};
	let term = u64::from(policy.longest_term);
	let mut all = vec![most("ist:term", term, "ist:block")];
	if policy.longest_range < LEAVES_PER_EPOCH {
		all.push(most("ist:range", policy.longest_range, "ist:leaf"));
	}
	all.push(constraint("ist:firm", "eq", json!(firm)));
	if policy.purposes != PurposeCodes::ALL {
		let codes = policy.purposes.codes().into_iter();
		let purposes = codes.map(purpose).collect();
		all.push(constraint("odrl:purpose", "isAnyOf", purposes));
	}
	let kinds = [
		(policy.consumers.school, "school"),
		(policy.consumers.government, "government"),
		(policy.consumers.business, "business"),
		(policy.consumers.other, "other"),
		(policy.consumers.unregistered, "unregistered"),
	];
	if kinds.iter().any(|(on, _)| !on) {
		let on = kinds.iter().filter(|(on, _)| *on);
		let kinds = on.map(|(_, kind)| json!(kind)).collect();
		all.push(constraint("ist:consumer", "isAnyOf", kinds));
	}
	if let Some(condition) = condition {
		let words = json!(condition.to_string());
		all.push(constraint("ist:condition", "eq", words));
	}
	all
}

/// How the term of a vocabulary fits a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
	Same,
	Close,
	Broader,
	Narrower,
}

/// Returns the term of DPV for a code, and how it fits.
fn term(code: PurposeCode) -> (&'static str, Fit) {
	use PurposeCode::*;
	match code {
		Unspecified => ("dpv:Purpose", Fit::Broader),
		Research => ("dpv:ResearchAndDevelopment", Fit::Same),
		Statistics => ("dpv:ProvideOfficialStatistics", Fit::Narrower),
		Service => ("dpv:ServiceProvision", Fit::Broader),
		Compliance => ("dpv:LegalCompliance", Fit::Same),
		Education => ("sector-education:EducationManagement", Fit::Close),
		Health => ("sector-health:HealthcareManagement", Fit::Close),
		Security => ("dpv:EnforceSecurity", Fit::Same),
		Journalism => ("dpv:PublicBenefit", Fit::Broader),
		PublicPolicy => ("dpv:PublicPolicyMaking", Fit::Same),
		Commercial => ("dpv:CommercialPurpose", Fit::Same),
		Marketing => ("dpv:Marketing", Fit::Same),
	}
}

/// Returns a code as the right operand of a constraint: the term that says the same or, where none does, a concept of our
/// own that says how the nearest term fits. A broader one would offer more than the policy does.
fn purpose(code: PurposeCode) -> Value {
	let (term, fit) = term(code);
	let fits = match fit {
		Fit::Same => return json!({ "@id": term }),
		Fit::Close => "skos:closeMatch",
		Fit::Broader => "skos:broadMatch",
		Fit::Narrower => "skos:narrowMatch",
	};
	json!({
		"@id": format!("ist:{}", code.name()),
		"@type": "skos:Concept",
		"skos:prefLabel": code.name().replace('-', " "),
		"skos:notation": code.name(),
		fits: { "@id": term },
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::catalog::found::tests::found;

	/// The right operands of an offer's permission, by the left ones.
	fn right(permission: &Value, left: &str) -> Option<Value> {
		let constraints = permission["odrl:constraint"].as_array().unwrap();
		let is_of = |constraint: &&Value| constraint["odrl:leftOperand"]["@id"] == left;
		let constraint = constraints.iter().find(is_of)?;
		Some(constraint["odrl:rightOperand"].clone())
	}

	#[test]
	fn a_policy_is_an_offer() {
		let mut entry = found("marks", None).entry;
		let offer_of = |entry: &CatalogEntry| offer(entry).unwrap();
		let kinds = json!(["odrl:Policy", "odrl:Offer"]);
		assert_eq!(offer_of(&entry)["@type"], kinds);
		let open = &offer_of(&entry)["odrl:permission"];
		assert_eq!(open.as_array().unwrap().len(), 1);
		let free = &open[0];
		assert_eq!(free["odrl:target"]["@id"], asset(&entry));
		assert_eq!(right(free, "ist:term"), Some(json!(1000)));
		assert_eq!(right(free, "ist:firm"), Some(json!(false)));
		for left in ["ist:range", "odrl:purpose", "ist:consumer", "ist:condition"] {
			assert_eq!(right(free, left), None, "{left}");
		}
		let (policy, condition) = entry.policy.as_mut().unwrap();
		policy.price = 0;
		policy.firm_price = Some(isthmus_sdk::UNIT / 4);
		policy.longest_range = 12;
		policy.consumers.unregistered = false;
		policy.purposes =
			PurposeCodes(1 << PurposeCode::Research as u32 | 1 << PurposeCode::Journalism as u32);
		*condition = Some("before(2030-01-01)".parse().unwrap());
		let strict = &offer_of(&entry)["odrl:permission"];
		let [free, firm] = [&strict[0], &strict[1]];
		assert!(free.get("odrl:duty").is_none());
		let least = &firm["odrl:duty"]["odrl:action"]["odrl:refinement"];
		assert_eq!(least["odrl:rightOperand"]["@value"], "0.25");
		assert_eq!(right(firm, "ist:firm"), Some(json!(true)));
		assert_eq!(right(firm, "ist:range"), Some(json!(12)));
		let kinds = json!(["school", "government", "business", "other"]);
		assert_eq!(right(firm, "ist:consumer"), Some(kinds));
		let words = json!("before(2030-01-01)");
		assert_eq!(right(firm, "ist:condition"), Some(words));
		let purposes = right(firm, "odrl:purpose").unwrap();
		assert_eq!(purposes[0]["@id"], "dpv:ResearchAndDevelopment");
		assert_eq!(purposes[1]["@id"], "ist:journalism");
		assert_eq!(purposes[1]["skos:broadMatch"]["@id"], "dpv:PublicBenefit");
		// DCAT-AP wants a label of each concept.
		assert_eq!(purposes[1]["skos:prefLabel"], "journalism");
	}

	#[test]
	fn where_the_owner_decides_there_is_no_offer() {
		let mut entry = found("marks", None).entry;
		entry.dataset.closed = true;
		assert_eq!(offer(&entry), None);
		entry.dataset.closed = false;
		entry.policy = None;
		assert_eq!(offer(&entry), None);
	}

	#[test]
	fn the_terms_are_those_of_the_documentation() {
		let page = include_str!("../../../../docs/purposes.md");
		for code in PurposeCode::ALL {
			let row = format!("| {} | `{}` |", code as u32, code.name());
			let row = page.lines().find(|line| line.starts_with(&row)).unwrap();
			let (term, fit) = term(code);
			let fit = match fit {
				Fit::Same => "| the same",
				Fit::Close => "| close",
				Fit::Broader => "| broader",
				Fit::Narrower => "| narrower",
			};
			assert!(row.contains(&format!("`{term}` {fit}")), "{row}");
		}
	}
}
