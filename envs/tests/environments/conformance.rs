//! Every registered environment passes every check of `egn_envs::testing`.

use egn_envs::{Action, Env, EnvId, MujocoTask, Pcg64, SettingValue, Space, testing};

/// Every environment that this machine has what is needed for; MuJoCo's are slow and checked over
/// fewer steps.
fn all() -> impl Iterator<Item = (EnvId, usize)> {
    let mujoco = testing::mujoco_or_skip().is_some();
    let is_mujoco = |id: &EnvId| matches!(id, EnvId::Mujoco(_));
    let slow = move |id: EnvId| if is_mujoco(&id) { 20 } else { 1 };
    EnvId::ALL.iter().filter(move |id| mujoco || !is_mujoco(id)).map(move |&id| (id, slow(id)))
}

#[test]
fn every_environment_passes_every_check() {
    for (id, slowness) in all() {
        println!("{id}");
        testing::check_env(|| id.make().expect("makes"), 2_000 / slowness);
        // MinAtar's last action survives a reset.
        if matches!(id, EnvId::MinAtar(_)) {
            continue;
        }
        testing::check_reset_forgets(|| id.make().expect("makes"), 2_000 / slowness);
    }
}

#[test]
fn nothing_is_nan_over_a_hundred_thousand_steps() {
    for (id, slowness) in all() {
        println!("{id}");
        testing::check_emissions(&mut *id.make().expect("makes"), 100_000 / slowness);
    }
}

#[test]
fn environments_can_move_to_a_thread() {
    let env = EnvId::CartPole.make().expect("makes");
    let moved = std::thread::spawn(move || env.action_space().n_actions());
    assert_eq!(moved.join().expect("no panic"), Some(2));
}

#[test]
fn every_environment_has_a_picture_that_shows_its_state() {
    for (id, _) in all() {
        let mut env = id.make().expect("makes");
        let (mut rng, mut observation) = (Pcg64::seed_from(0), vec![0.0; env.observation_space().len()]);
        env.reset(&mut rng, &mut observation).expect("reset");
        let first = env.render().unwrap_or_else(|| panic!("{id} has no picture"));
        assert_eq!(first.pixels().len(), 3 * first.width() * first.height());
        assert_eq!(env.render().as_ref(), Some(&first), "{id}: a look changes nothing");
        let (mut action, action_space) = (vec![0.0; env.action_space().len()], env.action_space().clone());
        let mut moves = false;
        for _ in 0..5 {
            action_space.sample(&mut rng, &mut action);
            let step = env.step(action_space.action(&action), &mut rng, &mut observation).expect("step");
            moves |= env.render().expect("a picture") != first;
            if step.outcome().is_end() {
                break;
            }
        }
        assert!(moves, "{id}: the picture moves");
    }
}

#[test]
fn settings_of_mujoco_reach_the_task() {
    if testing::mujoco_or_skip().is_none() {
        return;
    }
    let made = |task, name: &str, value: SettingValue| EnvId::Mujoco(task).make_with(&[(name.to_owned(), value)], None);
    let observed = |task, name| made(task, name, 0.0.into()).expect("accepted").observation_space().len();
    assert_eq!(observed(MujocoTask::HalfCheetah, "exclude_current_positions_from_observation"), 18);
    assert_eq!(observed(MujocoTask::Ant, "include_cfrc_ext_in_observation"), 27);
    assert_eq!(observed(MujocoTask::Humanoid, "include_cinert_in_observation"), 348 - 130);

    // A hopper whose limits are wide goes on where another has fallen.
    let steps_until_fallen = |env: &mut dyn Env| {
        let (mut rng, mut observation) = (Pcg64::seed_from(1), [0.0; 11]);
        env.reset(&mut rng, &mut observation).expect("reset");
        let mut push = || env.step(Action::Continuous(&[1.0, -1.0, 0.5]), &mut rng, &mut observation).expect("step");
        (1..=200).find(|_| push().outcome().is_end())
    };
    let mut hopper = EnvId::Mujoco(MujocoTask::Hopper).make().expect("made");
    assert!(steps_until_fallen(&mut *hopper).is_some_and(|n| n < 100));
    let mut free = made(MujocoTask::Hopper, "terminate_when_unhealthy", 0.0.into()).expect("accepted");
    assert_eq!(steps_until_fallen(&mut *free), None);
    let wide = SettingValue::Numbers(vec![-10.0, 10.0]);
    let mut wide = made(MujocoTask::Hopper, "healthy_angle_range", wide).expect("accepted");
    assert!(steps_until_fallen(&mut *wide) > steps_until_fallen(&mut *hopper));

    let refused = |task, name, value| made(task, name, value).err().expect("refused").to_string();
    let message = refused(MujocoTask::Hopper, "healthy_z_range", 0.7.into());
    assert_eq!(message, "healthy_z_range is 0.7; accepted: two numbers, [least, greatest]");
    assert!(refused(MujocoTask::Hopper, "gravity", 1.0.into()).contains("ctrl_cost_weight"));
    assert!(refused(MujocoTask::Ant, "frame_skip", 1e9.into()).contains("from 1 to 1000"));
    assert!(refused(MujocoTask::Ant, "reset_noise_scale", (-1.0).into()).contains("0 or more"));
    let of_gymnasium = made(MujocoTask::Ant, "xml_file", SettingValue::Text("ant.xml".to_owned()));
    assert_eq!(of_gymnasium.expect("Gymnasium's own").observation_space().len(), 105);
    let nowhere = SettingValue::Text("/nowhere.xml".to_owned());
    assert!(refused(MujocoTask::Ant, "xml_file", nowhere).contains("a file that exists"));
    let torso = SettingValue::Text("wings".to_owned());
    assert!(refused(MujocoTask::Ant, "main_body", torso).contains("no body \"wings\""));
}

#[test]
fn a_model_of_ones_own_is_read_from_its_file() {
    if testing::mujoco_or_skip().is_none() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("egn-envs-model-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("temporary folder");
    let file = folder.join("swimmer.xml");
    let made = |text: &str| {
        std::fs::write(&file, text).expect("written");
        let settings = [("xml_file".to_owned(), SettingValue::Text(file.display().to_string()))];
        EnvId::Mujoco(MujocoTask::Swimmer).make_with(&settings, None)
    };
    let model = include_str!("../../src/mujoco/models/swimmer.xml");
    assert!(model.contains("ctrlrange=\"-1 1\""));
    let strong = made(&model.replace("ctrlrange=\"-1 1\"", "ctrlrange=\"-3 2\"")).expect("made");
    assert_eq!(strong.action_space(), &Space::Box { low: vec![-3.0; 2], high: vec![2.0; 2] });
    let empty = "<mujoco><worldbody><geom type='plane' size='1 1 .1'/></worldbody></mujoco>";
    std::fs::write(&file, empty).expect("written");
    for &task in MujocoTask::ALL {
        let settings = [("xml_file".to_owned(), SettingValue::Text(file.display().to_string()))];
        let refused = EnvId::Mujoco(task).make_with(&settings, None).err().expect("refused").to_string();
        assert!(refused.contains("swimmer.xml has no"), "{task:?}: {refused}");
    }
    let broken = made("<mujoco><worldbody><body/></worldbody>").err().expect("refused").to_string();
    assert!(broken.contains("swimmer.xml") && broken.contains("XML"), "{broken}");
    std::fs::remove_dir_all(&folder).expect("cleaned up");
}
