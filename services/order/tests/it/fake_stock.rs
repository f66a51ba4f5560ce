//! The stock of the fake item service, which keeps the contract of `item.proto`, except where a test asks for a fault.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
};

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
    reserved: HashMap<String, Reservation>,
    reserve_calls: Vec<(i64, Vec<(String, i32)>)>,
    release_calls: Vec<String>,
}

#[derive(Debug, Clone)]
enum Reservation {
    Held { revision: i64, pieces: Pieces },
    Released,
}

impl FakeStock {
    pub(crate) fn set(&self, items: &[(&str, i32)]) {
        let items = items.iter().map(|&(id, count)| (id.to_owned(), count));
        self.books.lock().unwrap().left = items.collect();
    }

    /// The pieces of the item that are left.
    pub(crate) fn left(&self, id: &str) -> i32 {
        self.books.lock().unwrap().left[id]
    }

    /// What the order has reserved; `None` if it is released, or has never reserved.
    pub(crate) fn reserved(&self, order: &str) -> Option<Pieces> {
        match self.books.lock().unwrap().reserved.get(order) {
            Some(Reservation::Held { pieces, .. }) => Some(pieces.clone()),
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
        let pieces: Pieces = lines.iter().cloned().collect();
        assert_eq!(pieces.len(), lines.len(), "each item once");
        assert!(pieces.values().all(|&count| count > 0));
        let before = match self.reserved.get(id) {
            Some(Reservation::Released) => return Err(Status::aborted("released")),
            Some(Reservation::Held { revision, .. }) if *revision > request.revision => {
                return Err(Status::aborted("late"));
            }
            Some(Reservation::Held {
                revision,
                pieces: same,
            }) if *revision == request.revision => {
                assert_eq!(*same, pieces, "a revision stands for one content");
                return Ok(());
            }
            Some(Reservation::Held { pieces, .. }) => pieces.clone(),
            None => Pieces::new(),
        };
        let mut left = self.left.clone();
        add(&mut left, &before, 1);
        add(&mut left, &pieces, -1);
        let short: Vec<_> = left
            .iter()
            .filter(|(_, count)| **count < 0)
            .map(|(id, _)| id.as_str())
            .collect();
        if !short.is_empty() {
            return Err(out_of_stock(&short));
        }
        self.left = left;
        let revision = request.revision;
        let held = Reservation::Held { revision, pieces };
        self.reserved.insert(id.clone(), held);
        Ok(())
    }

    fn release(&mut self, order: String) -> Result<(), Status> {
        self.release_calls.push(order.clone());
        let before = self.reserved.insert(order, Reservation::Released);
        if let Some(Reservation::Held { pieces, .. }) = before {
            add(&mut self.left, &pieces, 1);
        }
        Ok(())
    }
}

fn add(left: &mut Pieces, pieces: &Pieces, sign: i32) {
    for (id, count) in pieces {
        if let Some(left) = left.get_mut(id) {
            *left += sign * count;
        }
    }
}

fn out_of_stock(ids: &[&str]) -> Status {
    let metadata = HashMap::from([("item".to_owned(), ids.join(","))]);
    let details = ErrorDetails::with_error_info("OUT_OF_STOCK", "item.ItemService", metadata);
    let names: Vec<_> = ids.iter().map(|id| format!("item/{id}")).collect();
    let message = format!("out of stock: {}", names.join(", "));
    Status::with_error_details(Code::FailedPrecondition, message, details)
}
