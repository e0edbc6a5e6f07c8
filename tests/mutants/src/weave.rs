//! Puts all mutants of a file into it, each behind a question: `crate::mutant() == 17`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::Result;
use crate::list::{Genre, Mutants};

/// Where in the text the code of each mutant is.
pub type Regions = Vec<(Range<usize>, u32)>;

pub struct Woven {
    pub text: String,
    pub regions: Regions,
    /// What is in it; the others have no place in a program that decides when it runs.
    pub mutants: Vec<u32>,
}

/// A place that one mutant or more change.
struct Site {
    range: Range<usize>,
    shape: Shape,
    mutants: Vec<(u32, String)>,
}

enum Shape {
    /// Its operator.
    Binary(Range<usize>),
    /// Its operand.
    Unary(Range<usize>),
    Guard,
    /// The end of the pattern of an arm without a guard.
    Arm,
    /// The start of a function's body.
    Body,
}

pub fn weave(text: &str, mutants: &Mutants) -> Result<Woven> {
    let mut by_place: BTreeMap<(usize, Kind), Vec<(u32, String)>> = BTreeMap::new();
    for (&id, mutant) in mutants {
        let kind = match mutant.genre {
            Genre::FnValue => Kind::Body,
            Genre::BinaryOperator | Genre::UnaryOperator => Kind::Operator,
            Genre::MatchArm => Kind::Arm,
            Genre::MatchArmGuard => Kind::Guard,
            Genre::StructField => continue,
        };
        by_place.entry((mutant.offset(text), kind)).or_default().push((id, mutant.replacement.clone()));
    }
    let mut finder = Finder { by_place, sites: Vec::new(), is_const: false };
    finder.visit_file(&syn::parse_file(text)?);
    let mut sites = finder.sites;
    // What is put before a place, then the outer ones.
    sites.sort_by_key(|site| (site.range.start, !site.range.is_empty(), Reverse(site.range.end)));
    let mutants = sites.iter().flat_map(|site| &site.mutants).map(|(id, _)| *id).collect();
    let mut writer = Writer { source: text, text: String::new(), regions: Vec::new() };
    writer.copy(0..text.len(), &sites);
    Ok(Woven { text: writer.text, regions: writer.regions, mutants })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Body,
    Operator,
    Arm,
    Guard,
}

struct Finder {
    by_place: BTreeMap<(usize, Kind), Vec<(u32, String)>>,
    sites: Vec<Site>,
    is_const: bool,
}

impl Finder {
    fn take(&mut self, span: Span, kind: Kind) -> Vec<(u32, String)> {
        if self.is_const {
            return Vec::new();
        }
        self.by_place.remove(&(span.byte_range().start, kind)).unwrap_or_default()
    }

    fn add(&mut self, range: Range<usize>, shape: Shape, mutants: Vec<(u32, String)>) {
        if !mutants.is_empty() {
            self.sites.push(Site { range, shape, mutants });
        }
    }

    fn in_const(&mut self, is_const: bool, visit: impl FnOnce(&mut Self)) {
        let before = self.is_const;
        self.is_const |= is_const;
        visit(self);
        self.is_const = before;
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        // An early return would have to be of the type that `impl` hides.
        let is_hidden = matches!(&signature.output, syn::ReturnType::Type(_, of) if matches!(**of, syn::Type::ImplTrait(_)));
        if signature.constness.is_some() || is_hidden {
            return;
        }
        let Some(first) = block.stmts.first() else { return };
        let start = first.span().byte_range().start;
        let mutants = self.take(first.span(), Kind::Body);
        self.add(start..start, Shape::Body, mutants);
    }
}

/// Whether it is, or goes on with, `let … = …`, which only `if` and `while` may have.
fn has_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        if !has_let(&expr.left) && !has_let(&expr.right) {
            let mutants = self.take(expr.op.span(), Kind::Operator);
            self.add(expr.span().byte_range(), Shape::Binary(expr.op.span().byte_range()), mutants);
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let mutants = self.take(expr.op.span(), Kind::Operator);
        self.add(expr.span().byte_range(), Shape::Unary(expr.expr.span().byte_range()), mutants);
        visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let deleted = self.take(arm.span(), Kind::Arm);
        if let Some((_, guard)) = &arm.guard {
            let mut mutants = self.take(guard.span(), Kind::Guard);
            mutants.extend(deleted.into_iter().map(|(id, _)| (id, "false".into())));
            self.add(guard.span().byte_range(), Shape::Guard, mutants);
        } else {
            let end = arm.pat.span().byte_range().end;
            self.add(end..end, Shape::Arm, deleted);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.sig, &item.block);
        self.in_const(item.sig.constness.is_some(), |this| visit::visit_item_fn(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
        self.in_const(item.sig.constness.is_some(), |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        self.in_const(item.sig.constness.is_some(), |this| visit::visit_trait_item_fn(this, item));
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.in_const(true, |this| visit::visit_item_const(this, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.in_const(true, |this| visit::visit_impl_item_const(this, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.in_const(true, |this| visit::visit_item_static(this, item));
    }

    fn visit_type_array(&mut self, array: &'ast syn::TypeArray) {
        self.in_const(true, |this| visit::visit_type_array(this, array));
    }

    fn visit_generic_argument(&mut self, argument: &'ast syn::GenericArgument) {
        self.in_const(true, |this| visit::visit_generic_argument(this, argument));
    }

    fn visit_expr_repeat(&mut self, expr: &'ast syn::ExprRepeat) {
        self.visit_expr(&expr.expr);
        self.in_const(true, |this| this.visit_expr(&expr.len));
    }

    fn visit_expr_const(&mut self, expr: &'ast syn::ExprConst) {
        self.in_const(true, |this| visit::visit_expr_const(this, expr));
    }
}

struct Writer<'a> {
    source: &'a str,
    text: String,
    regions: Regions,
}

impl Writer<'_> {
    /// Copies a part of the source, and into it the sites that it has.
    fn copy(&mut self, range: Range<usize>, mut sites: &[Site]) {
        let mut at = range.start;
        while let Some((site, rest)) = sites.split_first() {
            let (inside, after) =
                rest.split_at(rest.partition_point(|other| other.range.start < site.range.end));
            self.text.push_str(&self.source[at..site.range.start]);
            self.site(site, inside);
            at = site.range.end;
            sites = after;
        }
        self.text.push_str(&self.source[at..range.end]);
    }

    fn site(&mut self, site: &Site, inside: &[Site]) {
        let source = self.source;
        match &site.shape {
            Shape::Body => {
                for (id, value) in &site.mutants {
                    self.mutant(*id, &format!("if crate::mutant() == {id} {{ return {value}; }}\n"));
                }
            }
            Shape::Arm => {
                for (id, _) in &site.mutants {
                    self.mutant(*id, &format!(" if crate::mutant() != {id}"));
                }
            }
            Shape::Guard => {
                self.choice(site, str::to_owned, |this| this.copy(site.range.clone(), inside));
            }
            Shape::Unary(operand) => {
                self.choice(
                    site,
                    |_| source[operand.clone()].into(),
                    |this| this.copy(site.range.clone(), inside),
                );
            }
            Shape::Binary(operator) => {
                let [left, right] = [site.range.start..operator.start, operator.end..site.range.end];
                let (on_left, on_right) =
                    inside.split_at(inside.partition_point(|other| other.range.start < operator.start));
                self.choice(
                    site,
                    |operator| format!("({}) {operator} ({})", &source[left.clone()], &source[right.clone()]),
                    |this| {
                        this.text.push('(');
                        this.copy(left.clone(), on_left);
                        this.text.push_str(&format!(") {} (", &source[operator.clone()]));
                        this.copy(right.clone(), on_right);
                        this.text.push(')');
                    },
                );
            }
        }
    }

    /// Each mutant has the code as it is, but for itself; what is there without one has the sites inside, too.
    fn choice(&mut self, site: &Site, mutated: impl Fn(&str) -> String, without: impl FnOnce(&mut Self)) {
        self.text.push_str("(match crate::mutant() {\n");
        for (id, replacement) in &site.mutants {
            self.mutant(*id, &format!("{id} => {{ {} }}\n", mutated(replacement)));
        }
        self.text.push_str("_ => { ");
        without(self);
        self.text.push_str(" } })");
    }

    fn mutant(&mut self, id: u32, code: &str) {
        let start = self.text.len();
        self.text.push_str(code);
        self.regions.push((start..self.text.len(), id));
    }
}
