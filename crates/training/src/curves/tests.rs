use super::*;

/// A training as they go: falling fast, then slowly; validation turns at epoch 30.
fn usual(n: usize) -> Vec<Point> {
    (0..n)
        .map(|i| {
            let epoch = (i + 1) as f64 * 60.0 / n as f64;
            let fallen = 1.0 - (-epoch / 9.0).exp();
            let turn = ((epoch - 30.0).max(0.0) / 30.0).powi(2);
            Point {
                epoch,
                training_nats: 4.4 - 3.0 * fallen - 0.012 * epoch,
                validation_nats: 4.5 - 2.6 * fallen + 0.5 * turn,
                training_accuracy: 0.05 + 0.6 * fallen + 0.003 * epoch,
                validation_accuracy: 0.04 + 0.5 * fallen - 0.05 * turn,
                copied: f64::NAN,
            }
        })
        .collect()
}

fn marks() -> Marks {
    Marks {
        title: "lstm on chopin: 41 pieces, seed 7".to_owned(),
        loss: "loss (nats per token)".to_owned(),
        best_epoch: Some(31.0),
        remarks: vec![
            Remark { epoch: 18.0, text: "loss rose beyond 3x its best: back to epoch 17, learning rate halved".into() },
            Remark { epoch: 44.0, text: "training falls while validation rises: <overfitting> & the best kept".into() },
        ],
        baselines: vec![
            Baseline { name: "unigram".into(), nats: 4.12 },
            Baseline { name: "trigram".into(), nats: 2.71 },
        ],
        usual_share: Some(0.05),
    }
}

/// The pixel pairs of all polylines of one colour.
fn polylines(svg: &str, colour: RGBColor) -> Vec<Vec<(i32, i32)>> {
    let stroke = format!("stroke=\"#{:02X}{:02X}{:02X}\"", colour.0, colour.1, colour.2);
    let points = |line: &str| {
        let list = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let pair = |pair: &str| {
            let (x, y) = pair.split_once(',').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        };
        list.split_whitespace().map(pair).collect()
    };
    svg.lines().filter(|line| line.starts_with("<polyline") && line.contains(&stroke)).map(points).collect()
}

/// Writes the picture where `CANTUS_PICTURES` says, for the eye.
fn show(name: &str, svg: &str) {
    if let Some(folder) = std::env::var_os("CANTUS_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(name), svg).unwrap();
    }
}

#[test]
fn everything_asked_for_is_in_the_picture() {
    let svg = render(&usual(60), &marks());
    show("usual.svg", &svg);
    for text in ["lstm on chopin", "unigram 4.12", "trigram 2.71", "epoch 31", "accuracy (%)", "validation", "training"]
    {
        assert!(svg.contains(text), "{text}");
    }
    assert!(svg.contains("&lt;overfitting&gt; &amp; the best"), "text from outside is escaped");
    assert!(svg.starts_with("<svg width=\"1000\""), "{}", &svg[..80]);
    assert!(svg.trim_end().ends_with("</svg>"));
    // The training curve of the loss falls from left to right (an SVG's rows count downwards).
    let lines = polylines(&svg, TRAINING);
    let loss = lines.iter().find(|line| line.len() == 60).unwrap();
    assert!(loss.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
}

#[test]
fn copying_is_a_panel_of_its_own_where_compositions_were_looked_at() {
    let mut points = usual(60);
    for (k, point) in points.iter_mut().enumerate().filter(|(k, _)| (k + 1) % 5 == 0) {
        point.copied = (k as f64 / 100.0).powi(2);
    }
    let svg = render(&points, &marks());
    show("copying.svg", &svg);
    assert!(svg.starts_with("<svg width=\"1500\""), "{}", &svg[..80]);
    for text in ["8-note runs found in the training music (%)", "real pieces 5.0%", "composed 34.8%"] {
        assert!(svg.contains(text), "{text}");
    }
    let lines = polylines(&svg, COMPOSITIONS);
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<usize>>(), [12], "one unbroken curve");
}

#[test]
fn the_same_figures_give_the_same_bytes() {
    assert_eq!(render(&usual(200), &marks()), render(&usual(200), &marks()));
}

#[test]
fn nothing_one_point_and_equal_points_are_drawn() {
    assert!(render(&[], &Marks::default()).contains("no evaluation yet"));
    let one = render(&usual(1), &marks());
    show("one.svg", &one);
    assert_eq!(one.matches("<circle").count(), 4, "each figure is a dot");
    let level = [usual(1)[0], Point { epoch: 61.0, ..usual(1)[0] }];
    assert_eq!(render(&level, &Marks::default()).matches("<circle").count(), 8);
}

#[test]
fn many_points_become_a_small_picture() {
    let svg = render(&usual(5_000), &marks());
    show("many.svg", &svg);
    assert!(svg.len() < 200_000, "{}", svg.len());
    assert!(polylines(&svg, VALIDATION).iter().all(|line| line.len() < 4_000));
}

#[test]
fn gaps_stay_gaps_and_infinities_are_not_drawn() {
    let mut points = usual(60);
    for point in &mut points[20..25] {
        point.validation_nats = f64::NAN;
        point.validation_accuracy = f64::INFINITY;
    }
    points[7].epoch = f64::NAN;
    let svg = render(&points, &Marks::default());
    show("gaps.svg", &svg);
    // Two panels, two pieces each, and the sample of the legend.
    assert_eq!(polylines(&svg, VALIDATION).len(), 5);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn a_loss_that_went_crazy_does_not_press_the_rest_flat() {
    let mut points = usual(60);
    points[40].training_nats = 1e9;
    let svg = render(&points, &marks());
    show("crazy.svg", &svg);
    assert!(svg.contains("cut at the top"));
    let rows: Vec<i32> = polylines(&svg, VALIDATION)[1].iter().map(|p| p.1).collect();
    let extent = rows.iter().max().unwrap() - rows.iter().min().unwrap();
    assert!(extent > 100 * SCALE as i32 / 2, "validation still fills part of the panel: {extent} rows");
}

#[test]
fn text_from_outside_cannot_break_the_document() {
    let text = "a\u{0}b\u{1b}c\nd".repeat(1_000);
    let odd = Marks {
        title: text.clone(),
        loss: text.clone(),
        best_epoch: Some(f64::NAN),
        remarks: vec![Remark { epoch: f64::INFINITY, text: text.clone() }; 40],
        baselines: vec![Baseline { name: text, nats: f64::NAN }],
        usual_share: Some(f64::INFINITY),
    };
    let svg = render(&usual(60), &odd);
    assert!(svg.contains("and 34 more"));
    assert!(svg.chars().all(|c| !c.is_control() || c == '\n'));
    assert!(svg.len() < 60_000, "{}", svg.len());
}

#[test]
fn labels_move_apart_in_order_and_within_bounds() {
    assert_eq!(spread(&[10, 50], 16, (0, 100)), [10, 50]);
    for wanted in [vec![50, 50, 50, 50], vec![98, 99, 100], vec![0, 0, 1], vec![7]] {
        let rows = spread(&wanted, 16, (0, 100));
        assert!(rows.windows(2).all(|pair| pair[1] - pair[0] >= 15), "{wanted:?} -> {rows:?}");
        assert!(rows.iter().all(|row| (0..=100).contains(row)), "{wanted:?} -> {rows:?}");
    }
}

#[test]
fn thinning_keeps_extremes_and_ends_of_each_column() {
    let points: Vec<_> = (0..100).map(|i| (f64::from(i), f64::from((i * 37) % 100))).collect();
    let kept = thin(&points, (0.0, 99.0), 2.0);
    assert!(kept.len() <= 4 * 3);
    for wanted in [points[0], points[99], (0.0, 0.0)] {
        assert!(kept.contains(&wanted), "{wanted:?}");
    }
    assert!(kept.iter().any(|&(_, value)| value == 99.0));
}
