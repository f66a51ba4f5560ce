//! The stock of the fake item service, which keeps the contract of `item.proto`, except where a test asks for a fault.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use chassis::status::all_not_found;
use proto::item::ReserveItemsRequest;
use tokio::sync::Notify;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub(crate) type Pieces = BTreeMap<String, i32>;

/// What happens to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It fails with UNAVAILABLE before it is served.
    Unserved,
    /// It is served, and its response is lost.
    Lost,
    /// It is served after `let_go`, even if its caller is gone by then.
    Held,
}

/// The items that are counted, and what orders have reserved.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeStock {
    books: Arc<Mutex<Books>>,
    reserves: Arc<Mutex<VecDeque<Option<Fault>>>>,
    releases: Arc<Mutex<VecDeque<Option<Fault>>>>,
    arrived: Arc<Notify>,
    go: Arc<Notify>,
    served: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Books {
    /// Other items never run out.
    left: Pieces,
    deleted: BTreeSet<String>,
    reserved: HashMap<String, Reservation>,
    reserve_calls: Vec<(i64, Vec<(String, i32)>)>,
    release_calls: Vec<String>,
}

#[derive(Debug, Clone)]
enum Reservation {
    Held { revision: i64, lines: Lines },
    Released,
}

type Lines = BTreeMap<String, Line>;

/// The pieces of an item that an order has.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    count: i32,
    /// The others were not counted when the order took them.
    counted: i32,
}

impl FakeStock {
    pub(crate) fn set(&self, items: &[(&str, i32)]) {
        let items = items.iter().map(|&(id, count)| (id.to_owned(), count));
        self.books.lock().unwrap().left = items.collect();
    }

    /// From now on, the pieces of the item are counted.
    pub(crate) fn count(&self, id: &str, left: i32) {
        let mut books = self.books.lock().unwrap();
        books.left.insert(id.to_owned(), left);
    }

    pub(crate) fn delete(&self, id: &str) {
        let mut books = self.books.lock().unwrap();
        books.left.remove(id);
        books.deleted.insert(id.to_owned());
    }

    /// The pieces of the item that are left.
    pub(crate) fn left(&self, id: &str) -> i32 {
        self.books.lock().unwrap().left[id]
    }

    /// What the order has reserved; `None` if it is released, or has never reserved.
    pub(crate) fn reserved(&self, order: &str) -> Option<Pieces> {
        match self.books.lock().unwrap().reserved.get(order) {
            Some(Reservation::Held { lines, .. }) => Some(pieces(lines)),
            _ => None,
        }
    }

    /// The revisions and the lines of the calls that have reserved so far.
    pub(crate) fn take_reserve_calls(&self) -> Vec<(i64, Vec<(String, i32)>)> {
        std::mem::take(&mut self.books.lock().unwrap().reserve_calls)
    }

    /// The orders of the calls that have released so far.
    pub(crate) fn take_release_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.books.lock().unwrap().release_calls)
    }

    /// The faults of the next calls that reserve.
    pub(crate) fn fail_reserves(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.reserves.lock().unwrap().extend(faults);
    }

    /// The faults of the next calls that release.
    pub(crate) fn fail_releases(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.releases.lock().unwrap().extend(faults);
    }

    /// The faults that have not happened yet.
    pub(crate) fn faults_left(&self) -> usize {
        self.reserves.lock().unwrap().len() + self.releases.lock().unwrap().len()
    }

    /// No further call fails.
    pub(crate) fn mend(&self) {
        self.reserves.lock().unwrap().clear();
        self.releases.lock().unwrap().clear();
    }

    /// Waits for a call that is held.
    pub(crate) async fn until_held(&self) {
        self.arrived.notified().await;
    }

    /// Serves a call that is held.
    pub(crate) async fn let_go(&self) {
        self.go.notify_one();
        self.served.notified().await;
    }

    pub(crate) async fn reserve(&self, request: ReserveItemsRequest) -> Result<(), Status> {
        let fault = self.reserves.lock().unwrap().pop_front().flatten();
        self.serve(fault, move |books| books.reserve(request)).await
    }

    pub(crate) async fn release(&self, order: String) -> Result<(), Status> {
        let fault = self.releases.lock().unwrap().pop_front().flatten();
        self.serve(fault, move |books| books.release(order)).await
    }

    async fn serve(
        &self,
        fault: Option<Fault>,
        call: impl FnOnce(&mut Books) -> Result<(), Status> + Send + 'static,
    ) -> Result<(), Status> {
        match fault {
            None => call(&mut self.books.lock().unwrap()),
            Some(Fault::Unserved) => Err(Status::unavailable("not served")),
            Some(Fault::Lost) => {
                call(&mut self.books.lock().unwrap())?;
                Err(Status::unavailable("lost"))
            }
            Some(Fault::Held) => {
                let stock = self.clone();
                let serving = tokio::spawn(async move {
                    stock.arrived.notify_one();
                    stock.go.notified().await;
                    let served = call(&mut stock.books.lock().unwrap());
                    stock.served.notify_one();
                    served
                });
                serving.await.unwrap()
            }
        }
    }
}

impl Books {
    fn reserve(&mut self, request: ReserveItemsRequest) -> Result<(), Status> {
        let id = &request.order_id;
        let lines: Vec<_> = request
            .items
            .into_iter()
            .map(|item| (item.id, item.quantity))
            .collect();
        self.reserve_calls.push((request.revision, lines.clone()));
        let needs: Pieces = lines.iter().cloned().collect();
        assert_eq!(needs.len(), lines.len(), "each item once");
        assert!(needs.values().all(|&count| count > 0));
        let has = match self.reserved.get(id) {
            Some(Reservation::Released) => return Err(Status::aborted("released")),
            Some(Reservation::Held { revision, .. }) if *revision > request.revision => {
                return Err(Status::aborted("late"));
            }
            Some(Reservation::Held { revision, lines }) if *revision == request.revision => {
                assert_eq!(pieces(lines), needs, "a revision stands for one content");
                return Ok(());
            }
            Some(Reservation::Held { lines, .. }) => lines.clone(),
            None => Lines::new(),
        };
        let lines = self.take(&has, &needs)?;
        let revision = request.revision;
        let held = Reservation::Held { revision, lines };
        self.reserved.insert(id.clone(), held);
        Ok(())
    }

    /// Takes what an order needs beyond what it has, which is not refused, or puts back what it needs no longer.
    fn take(&mut self, has: &Lines, needs: &Pieces) -> Result<Lines, Status> {
        let (mut left, mut lines) = (self.left.clone(), Lines::new());
        let (mut missing, mut short) = (Vec::new(), Vec::new());
        for id in has.keys().chain(needs.keys()).collect::<BTreeSet<_>>() {
            let before = has.get(id).copied().unwrap_or_default();
            let count = needs.get(id).copied().unwrap_or_default();
            if count > before.count && self.deleted.contains(id) {
                missing.push(id.as_str());
            }
            let counted = if let Some(left) = left.get_mut(id) {
                let counted = (count - (before.count - before.counted)).max(0);
                *left += before.counted - counted;
                if *left < 0 {
                    short.push(id.as_str());
                }
                counted
            } else {
                count.min(before.counted)
            };
            if count > 0 {
                lines.insert(id.clone(), Line { count, counted });
            }
        }
        if !missing.is_empty() {
            return Err(all_not_found("item", &missing));
        }
        if !short.is_empty() {
            return Err(out_of_stock(&short));
        }
        self.left = left;
        Ok(lines)
    }

    fn release(&mut self, order: String) -> Result<(), Status> {
        self.release_calls.push(order.clone());
        let before = self.reserved.insert(order, Reservation::Released);
        if let Some(Reservation::Held { lines, .. }) = before {
            self.take(&lines, &Pieces::new())?;
        }
        Ok(())
    }
}

fn pieces(lines: &Lines) -> Pieces {
    let lines = lines.iter();
    lines.map(|(id, line)| (id.clone(), line.count)).collect()
}

fn out_of_stock(ids: &[&str]) -> Status {
    let metadata = HashMap::from([("item".to_owned(), ids.join(","))]);
    let details = ErrorDetails::with_error_info("OUT_OF_STOCK", "item.ItemService", metadata);
    let names: Vec<_> = ids.iter().map(|id| format!("item/{id}")).collect();
    let message = format!("out of stock: {}", names.join(", "));
    Status::with_error_details(Code::FailedPrecondition, message, details)
}
