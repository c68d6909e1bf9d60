using Dataplane.Gateway.Compose;
using Dataplane.Gateway.Networks;
using Dataplane.Tests.Configuration;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Gateway.Tests.Compose;

/// <summary>What leads from a project that is up to what its file says now: no more than has changed, in an order that can be taken.</summary>
public sealed class ProjectPlannerTests
{
    [Fact]
    public void Compare_AnyProjects_BecomeWhatTheyWouldBeFromNothing() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        var random = new Random(seed);
        var world = new ComposeWorld();
        for (int round = 0; round < 4; round++)
        {
            ProjectShape wanted = Shape(random);
            Disturb(world, random);
            bool removeOrphans = random.Next(2) == 0;
            RunningProject there = world.Project;
            ProjectPlan plan = ProjectPlanner.Compare(wanted, there, world.Sight, removeOrphans);
            if (plan.Obstacles.Count > 0)
            {
                Assert.Empty(plan.Steps);
                Assert.True(IsInTheWay(world, wanted, removeOrphans), string.Join(' ', plan.Obstacles));
                continue;
            }

            string[] untouched = [.. Unchanged(world, wanted)];
            Dictionary<string, string> addresses = untouched.ToDictionary(name => name, name => string.Join(' ', world.Containers[name].Addresses));
            world.Touched.Clear();
            foreach (PlanStep step in plan.Steps)
            {
                world.Take(step, wanted);
                Assert.All(untouched, name => Assert.Superset(Lasting(there, wanted, name), world.Containers[name].Ports.ToHashSet()));
            }

            Assert.DoesNotContain(world.Touched, untouched.Contains);
            Assert.All(untouched, name => Assert.Equal(addresses[name], string.Join(' ', world.Containers[name].Addresses)));
            Assert.Equal(FromNothing(wanted), Describe(world, plan.Orphans));
            Assert.All(plan.Orphans, orphan => Assert.DoesNotContain(world.Containers[orphan].Shape.Service, wanted.Services));
            Assert.True(plan.Orphans.Count == 0 || !removeOrphans);

            // A second time there is nothing to do.
            Assert.All(ProjectPlanner.Compare(wanted, world.Project, world.Sight, removeOrphans).Steps, step => Assert.Equal(PlanStepKind.Keep, step.Kind));
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void Compare_OneServiceChanged_MakesItsReplicasAnewOneAfterAnother()
    {
        ComposeWorld world = Up(Project(Replica("web", 1), Replica("web", 2), Replica("db", 1)));
        Assert.Equal(
            ["Recreate p-web-1 command", "Recreate p-web-2 command", "Keep p-db-1"],
            Steps(world, Project(Replica("web", 1, command: "other"), Replica("web", 2, command: "other"), Replica("db", 1))));
    }

    [Fact]
    public void Compare_FewerReplicas_TakesTheLastOnesAwayAndLeavesTheRest() => Assert.Equal(
        ["Remove p-web-3", "Remove p-web-2", "Keep p-web-1"],
        Steps(Up(Project(Replica("web", 1), Replica("web", 2), Replica("web", 3))), Project(Replica("web", 1))));

    [Fact]
    public void Compare_PortsSwapped_AreClosedBeforeAnyIsOpened() => Assert.Equal(
        ["SetPorts p-a-1 -", "SetPorts p-b-1 -", "SetPorts p-a-1 81:80/tcp", "SetPorts p-b-1 80:80/tcp", "Keep p-a-1", "Keep p-b-1"],
        Steps(Up(Project(Replica("a", 1, port: 80), Replica("b", 1, port: 81))), Project(Replica("a", 1, port: 81), Replica("b", 1, port: 80))));

    [Fact]
    public void Compare_PortOfOneThatIsMadeAnew_IsTakenBeforeItIsStopped() => Assert.Equal(
        ["SetPorts p-a-1 81:80/tcp", "Recreate p-a-1 command"],
        Steps(Up(Project(Replica("a", 1, port: 80))), Project(Replica("a", 1, port: 81, command: "other"))));

    [Fact]
    public void Compare_ServiceRenamedWithItsPort_SaysWhoHasItAndChangesNothing()
    {
        ComposeWorld world = Up(Project(Replica("a", 1, port: 80)));
        ProjectShape renamed = Project(Replica("b", 1, port: 80));
        ProjectPlan plan = ProjectPlanner.Compare(renamed, world.Project, world.Sight, removeOrphans: false);
        Assert.Equal("p-b-1 publishes a port that is held (80:80/tcp) by p-a-1 of service a, which is not in the file any more; --remove-orphans removes it.", Assert.Single(plan.Obstacles));
        Assert.Equal(["Remove p-a-1", "Create p-b-1", "Start p-b-1"], Steps(world, renamed, removeOrphans: true));
    }

    [Fact]
    public void Compare_NetworkThatOthersAreOn_IsNotMadeAnew()
    {
        ComposeWorld world = Up(Project(Replica("a", 1)));
        ProjectShape changed = Project(Replica("a", 1)) with { Networks = [new NetworkShape("net", "other")] };
        ProjectSight sight = world.Sight with { Strangers = new Dictionary<string, string> { ["net"] = "guest" } };
        Assert.Contains("guest, which is not of this project", Assert.Single(ProjectPlanner.Compare(changed, world.Project, sight, removeOrphans: true).Obstacles), StringComparison.Ordinal);
        Assert.Equal(["Stop p-a-1 network net", "RemoveNetwork net changed", "CreateNetwork net", "Create p-a-1 network net", "Start p-a-1 network net"], Steps(world, changed));

        // One that is not needed any more stays for them.
        ProjectShape moved = new("p") { Services = ["a"], Networks = [new NetworkShape("new", "")], Replicas = [Replica("a", 1) with { Networks = ["new"] }] };
        Assert.Equal(["net"], ProjectPlanner.Compare(moved, world.Project, sight, removeOrphans: true).Left);
        Assert.DoesNotContain(ProjectPlanner.Compare(moved, world.Project, sight, removeOrphans: true).Steps, step => step.Kind == PlanStepKind.RemoveNetwork);
    }

    [Fact]
    public void Compare_ReplicaThatWasNotFinished_IsMadeAnew()
    {
        ComposeWorld world = Up(Project(Replica("a", 1)));
        RunningProject there = world.Project with { Replicas = [world.Project.Replicas[0] with { Definition = new Dictionary<string, string>() }] };
        PlanStep step = Assert.Single(ProjectPlanner.Compare(Project(Replica("a", 1)), there, world.Sight, removeOrphans: false).Steps);
        Assert.Equal((PlanStepKind.Recreate, "unfinished"), (step.Kind, Assert.Single(step.Reasons)));
    }

    private static ProjectShape Project(params ReplicaShape[] replicas) => new("p")
    {
        Networks = [new NetworkShape("net", "")],
        Services = [.. replicas.Select(replica => replica.Service).Distinct()],
        Replicas = replicas,
    };

    private static ReplicaShape Replica(string service, int number, int port = 0, string command = "") => new(service, $"p-{service}-{number}")
    {
        Definition = new Dictionary<string, string> { ["command"] = command, ["networks"] = "net" },
        Networks = ["net"],
        Ports = port == 0 ? [] : [new PublishedPort(port, 80)],
    };

    private static ComposeWorld Up(ProjectShape shape)
    {
        var world = new ComposeWorld();
        foreach (PlanStep step in ProjectPlanner.Compare(shape, world.Project, world.Sight, removeOrphans: false).Steps)
            world.Take(step, shape);
        return world;
    }

    private static string[] Steps(ComposeWorld world, ProjectShape shape, bool removeOrphans = false) =>
        [.. ProjectPlanner.Compare(shape, world.Project, world.Sight, removeOrphans).Steps.Select(step => $"{step.Kind} {step.Name}"
            + (step.Kind == PlanStepKind.SetPorts ? $" {(step.Ports.Count == 0 ? "-" : string.Join(' ', step.Ports.Select(NetworkRequests.Describe)))}" : string.Concat(step.Reasons.Select(reason => " " + reason))))];

    /// <summary>
    /// Up to four services on up to three networks, with replicas, fixed addresses and ports of the host. Who has a fixed address is on one network: on a second one he might be given what another is to
    /// have there, of which nobody can be sure but by ip_range.
    /// </summary>
    private static ProjectShape Shape(Random random)
    {
        Dictionary<string, string> networks = Enumerable.Range(0, 3).ToDictionary(number => $"n{number}", _ => $"v{random.Next(4) / 3}");
        var claimed = new HashSet<AddressClaim>();
        var open = new HashSet<int>();
        var replicas = new List<ReplicaShape>();
        string[] services = [.. "abcd".Where(_ => random.Next(4) > 0).Select(letter => letter.ToString())];
        foreach (string service in services)
        {
            string[] on = [.. networks.Keys.Where(_ => random.Next(2) == 0)];
            int count = random.Next(4), command = random.Next(3) / 2;
            var claim = new AddressClaim(on.FirstOrDefault() ?? "", $"10.{random.Next(2, 7)}");
            AddressClaim[] claims = on.Length == 1 && count > 0 && random.Next(3) == 0 && claimed.Add(claim) ? [claim] : [];
            int first = random.Next(80, 86), wide = random.Next(1, 3);
            bool isPublished = on.Length > 0 && count == 1 && random.Next(2) == 0 && !open.Overlaps(Enumerable.Range(first, wide));
            open.UnionWith(isPublished ? Enumerable.Range(first, wide) : []);
            replicas.AddRange(Enumerable.Range(1, count).Select(number => new ReplicaShape(service, $"p-{service}-{number}")
            {
                Networks = on,
                Claims = number == 1 ? claims : [],
                Ports = isPublished ? [new PublishedPort(first, 80) { Count = wide }] : [],
                Definition = new Dictionary<string, string> { ["command"] = $"{command}", ["networks"] = $"{string.Join(',', on)} {(number == 1 ? string.Join(',', claims) : "")}" },
            }));
        }

        return new ProjectShape("p")
        {
            Services = services,
            Replicas = replicas,
            Networks = [.. networks.Where(pair => replicas.Exists(replica => replica.Networks.Contains(pair.Key))).Select(pair => new NetworkShape(pair.Key, pair.Value))],
        };
    }

    /// <summary>Processes end, and namespaces go.</summary>
    private static void Disturb(ComposeWorld world, Random random)
    {
        foreach (ComposeWorld.Container container in world.Containers.Values.Where(_ => random.Next(6) == 0))
        {
            container.Runs = false;
            container.IsLost = random.Next(3) == 0;
        }
    }

    private static IEnumerable<string> Unchanged(ComposeWorld world, ProjectShape wanted) =>
        from shape in wanted.Replicas
        let container = world.Containers.GetValueOrDefault(shape.Name)
        where container is { Runs: true, IsLost: false } && container.Shape.Definition.All(pair => shape.Definition[pair.Key] == pair.Value)
            && container.Shape.Networks.All(name => world.Networks[name] == wanted.Networks.Single(network => network.Name == name).Definition)
        select shape.Name;

    /// <summary>Ports that a replica had and still has: they are not closed for a moment.</summary>
    private static HashSet<PublishedPort> Lasting(RunningProject there, ProjectShape wanted, string name) =>
        [.. there.Replicas.Single(replica => replica.Name == name).Ports.Select(PortText.Parse).Intersect(wanted.Replicas.Single(shape => shape.Name == name).Ports)];

    /// <summary>Whether something that stays has what another is to have, or is on a network that is to change.</summary>
    private static bool IsInTheWay(ComposeWorld world, ProjectShape wanted, bool removeOrphans)
    {
        string[] unchanged = [.. Unchanged(world, wanted)];
        ComposeWorld.Container[] orphans = [.. world.Containers.Values.Where(container => !removeOrphans && !wanted.Services.Contains(container.Shape.Service))];
        return orphans.Any(orphan => orphan.Shape.Networks.Any(name => wanted.Networks.Any(network => network.Name == name && network.Definition != world.Networks[name]))
                || orphan.Ports.Any(port => wanted.Replicas.Any(shape => shape.Ports.Any(other => Numbers(other).Intersect(Numbers(port)).Any()))))
            || orphans.Concat(world.Containers.Values.Where(container => wanted.Replicas.Any(shape => shape.Name == container.Shape.Name))).Any(container => container.Addresses.Any(pair =>
                wanted.Replicas.Any(shape => shape.Name != container.Shape.Name && shape.Claims.Contains(new AddressClaim(pair.Key, pair.Value)))));
    }

    private static IEnumerable<int> Numbers(PublishedPort port) => Enumerable.Range(port.HostPort, port.Count);

    private static string[] FromNothing(ProjectShape wanted) => Describe(Up(wanted), []);

    private static string[] Describe(ComposeWorld world, IReadOnlyList<string> orphans)
    {
        ComposeWorld.Container[] own = [.. world.Containers.Values.Where(container => !orphans.Contains(container.Shape.Name))];
        string[] needed = [.. own.SelectMany(container => container.Shape.Networks)];
        HashSet<string> kept = [.. world.Containers.Values.Except(own).SelectMany(container => container.Shape.Networks)];
        IEnumerable<string> networks = world.Networks.Where(pair => needed.Contains(pair.Key) || !kept.Contains(pair.Key)).Select(pair => $"{pair.Key} {pair.Value}");
        return [.. networks.Concat(own.Select(container => $"{container.Shape.Name} {string.Join(' ', container.Shape.Definition)} {string.Join(' ', container.Ports.Select(NetworkRequests.Describe))} "
            + $"{string.Join(' ', container.Shape.Claims.Select(claim => container.Addresses[claim.Network]))} {container.Runs}")).Order(StringComparer.Ordinal)];
    }
}
