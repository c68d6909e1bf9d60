using Dataplane.Gateway.Demo.Screen;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo;

/// <summary>What happens in the demo, and when: each step at a share of the whole length.</summary>
internal sealed class DemoStory(IDemoWorld world, DemoBoard board)
{
    /// <summary>Scenes that the board counts.</summary>
    public const int Scenes = 5;

    /// <summary>The backend that dies, and the one that is added.</summary>
    private const int Victim = 1, Added = FirstBackends;

    private readonly (double At, Func<Task> Do)[] _steps = Steps(world, board);
    private int _next;

    /// <summary>Does what is due.</summary>
    public async Task ContinueAsync()
    {
        while (_next < _steps.Length && board.Elapsed >= board.Length * _steps[_next].At)
        {
            await _steps[_next++].Do().ConfigureAwait(false);
        }
    }

    private static (double At, Func<Task> Do)[] Steps(IDemoWorld world, DemoBoard board) =>
    [
        (0.00, () => WarmUp(board)),
        (0.20, () => KillAsync(world, board)),
        (0.28, () => RemoveAsync(world, board)),
        (0.45, () => AddAsync(world, board)),
        (0.62, () => DenyAsync(world, board)),
        (0.80, () => ExplainAsync(board)),
    ];

    private static Task WarmUp(DemoBoard board)
    {
        board.Begin("Balancing", $"connections to {Service}:{WebPort} and [{Service6}]:{WebPort} go to three backends");
        board.Happened("the client has begun: every connection and every UDP flow is balanced by Maglev hashing");
        return Task.CompletedTask;
    }

    private static async Task KillAsync(IDemoWorld world, DemoBoard board)
    {
        board.Begin("A backend dies", $"{Name(Victim)}, {world.HowBackendsDie}: its share of new connections fails until it is removed");
        board[Victim] = BackendState.Killed;
        board.Happened($"{Name(Victim)} killed", Style.Bad);
        await world.KillBackendAsync(Victim).ConfigureAwait(false);
    }

    private static async Task RemoveAsync(IDemoWorld world, DemoBoard board)
    {
        DemoConfiguration before = board.Configuration, after = before with { Backends = before.Backends.Remove(Victim) };
        await ReloadAsync(world, board, after, $"{Name(Victim)} removed from gateway.yaml").ConfigureAwait(false);
        board[Victim] = BackendState.Removed;
        (ushort port, string? then) = await DemoExplainer.FindMovedAsync(before, after, Victim).ConfigureAwait(false);
        board.Happened($"explain {Client}:{port} > {Service}:{WebPort}: went to {Name(Victim)}, goes to {then ?? "nobody"}", Style.Accent);
    }

    private static async Task AddAsync(IDemoWorld world, DemoBoard board)
    {
        board.Begin("A backend is added", $"{Name(Added)} takes its share, and nobody else's connections move");
        await world.StartBackendAsync(Added).ConfigureAwait(false);
        await ReloadAsync(world, board, board.Configuration with { Backends = board.Configuration.Backends.Add(Added) }, $"{Name(Added)} added to gateway.yaml").ConfigureAwait(false);
        board[Added] = BackendState.Alive;
    }

    private static Task DenyAsync(IDemoWorld world, DemoBoard board)
    {
        board.Begin("A client is denied", $"rule {GuestRule}: everything from {Guest} is dropped, and counted");
        return ReloadAsync(world, board, board.Configuration with { IsGuestDenied = true }, $"rule {GuestRule} added to gateway.yaml");
    }

    private static async Task ExplainAsync(DemoBoard board)
    {
        board.Begin("One packet explained", "by the code that forwards: dataplane explain gateway.yaml --port wan --hex ...");
        board.Explanation = await DemoExplainer.ExplainAsync(board.Configuration, Client, 40_001).ConfigureAwait(false);
    }

    private static async Task ReloadAsync(IDemoWorld world, DemoBoard board, DemoConfiguration configuration, string what)
    {
        IReadOnlyList<string> said = await world.ReloadAsync(configuration).ConfigureAwait(false);
        board.Configuration = configuration;
        board.Happened($"{what}, reloaded: {said[0]}", Style.Good);

        // One of four services says for all how much the reload moved.
        if (said.FirstOrDefault(line => line.StartsWith("service web:", StringComparison.Ordinal)) is { } moved)
        {
            board.Happened($"  {moved}");
        }
    }
}
