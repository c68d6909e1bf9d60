using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>What all sources have in common.</summary>
public sealed class MeshSourceTests
{
    [Fact]
    public async Task Publish_SomethingWrongInIt_StaysWrongWhenItIsHeardAgain()
    {
        await using var source = new Scripted();
        source.Say("one", "two: is no address");
        source.Lose("refused");
        Assert.Equal("refused", source.Status.Problem);
        source.HearAgain();
        Assert.Equal("two: is no address", source.Status.Problem);
        source.Say("one", "");
        Assert.False(source.Status.IsStale);
    }

    [Fact]
    public async Task Failed_LeavesInForceWhatWasSaid_AndWhenThatWas()
    {
        await using var source = new Scripted();
        source.Say("one", "");
        (SourceSnapshot said, DateTimeOffset? heard) = (source.Snapshot, source.Status.LastHeard);
        source.Lose("refused");
        Assert.Same(said, source.Snapshot);
        Assert.Equal(heard, source.Status.LastHeard);
        Assert.Equal((1, 1, 0), (source.Status.Revision, source.Status.Services, source.Status.Endpoints));
        Assert.True(source.Status.IsStale);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Start_WaitsForTheFirstWordOrFailure_AndIsToldOfWordsOnly(bool speaks)
    {
        await using var source = new Scripted();
        int changes = 0;
        Task starting = source.StartAsync(() => changes++, CancellationToken.None);
        Assert.False(starting.IsCompleted);
        if (speaks)
        {
            source.Say("one", "");
        }
        else
        {
            source.Lose("refused");
        }

        await starting.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(speaks ? 1 : 0, changes);
    }

    [Fact]
    public async Task Dispose_EndsTheRun()
    {
        var source = new Scripted();
        _ = source.StartAsync(() => { }, CancellationToken.None);
        await source.Running.WaitAsync(TimeSpan.FromMinutes(1));
        await source.DisposeAsync();
        Assert.True(source.HasEnded);
    }

    private sealed class Scripted() : MeshSource("scripted", TimeProvider.System)
    {
        private readonly TaskCompletionSource _running = new();

        public Task Running => _running.Task;

        public bool HasEnded { get; private set; }

        public void Say(string service, string problem) => Publish([new MeshServiceSpec { Name = service }], [], problem);

        public void HearAgain() => Heard();

        public void Lose(string problem) => Failed(problem);

        protected override async Task RunAsync(CancellationToken ending)
        {
            _running.SetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, ending);
            }
            finally
            {
                HasEnded = true;
            }
        }
    }
}
