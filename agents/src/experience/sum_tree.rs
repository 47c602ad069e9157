//! Priorities whose sums are kept in a binary tree: drawing and changing cost log n.

/// Non-negative priorities of a fixed number of slots, at first all zero.
#[derive(Debug, Clone)]
pub(crate) struct SumTree {
    /// Leaves from `n_leaves` on; node i is the sum of nodes 2i and 2i + 1.
    nodes: Vec<f64>,
    n_leaves: usize,
}

impl SumTree {
    pub fn new(n_slots: usize) -> Self {
        let n_leaves = n_slots.next_power_of_two();
        Self { nodes: vec![0.0; 2 * n_leaves], n_leaves }
    }

    /// Sum of all priorities.
    pub fn total(&self) -> f64 {
        self.nodes[1]
    }

    pub fn get(&self, slot: usize) -> f64 {
        self.nodes[self.n_leaves + slot]
    }

    pub fn set(&mut self, slot: usize, priority: f64) {
        let mut node = self.n_leaves + slot;
        self.nodes[node] = priority;
        while node > 1 {
            node /= 2;
            // Summed anew, so that no rounding piles up.
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// The slot at which the running sum of priorities passes `mass`, in [0, total).
    pub fn find(&self, mut mass: f64) -> usize {
        let mut node = 1;
        while node < self.n_leaves {
            let left = 2 * node;
            // Rounding must not lead into an empty half.
            if mass < self.nodes[left] || self.nodes[left + 1] == 0.0 {
                node = left;
            } else {
                mass -= self.nodes[left];
                node = left + 1;
            }
        }
        node - self.n_leaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_found_where_the_running_sum_passes() {
        let mut tree = SumTree::new(5);
        for (slot, priority) in [(0, 1.0), (2, 3.0), (4, 0.5)] {
            tree.set(slot, priority);
        }
        assert_eq!(tree.total(), 4.5);
        assert_eq!([0.0, 0.99, 1.0, 3.99, 4.0, 4.49, 4.5, 9.0].map(|mass| tree.find(mass)), [0, 0, 2, 2, 4, 4, 4, 4]);
        tree.set(2, 0.0);
        assert_eq!((tree.total(), tree.find(1.0)), (1.5, 4));
    }
}
