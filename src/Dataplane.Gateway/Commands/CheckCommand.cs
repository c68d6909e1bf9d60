using Dataplane.Configuration;
using Dataplane.Gateway.CommandLine;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh;

namespace Dataplane.Gateway.Commands;

/// <summary>Validates a configuration without touching the system.</summary>
internal sealed class CheckCommand : Command
{
    private static readonly Option s_print = new("--print", "", "print the configuration as it is understood, as YAML");

    public override string Name => "check";

    public override string Summary => "validate a configuration; tell every error with line and value";

    public override string Details => """
        All errors are told at once, one a line: FILE:LINE:COLUMN: KEY: "VALUE": what is wrong and what is allowed.
        Nothing is opened: interfaces need not exist.
        """;

    public override IReadOnlyList<string> Positionals => ["FILE"];

    public override IReadOnlyList<Option> Options => [s_print];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        string file = arguments.Positionals[0];
        LoadResult loaded = ConfigurationFile.Load(file, MeshRuntime.ExpandOnce);
        if (loaded.Spec is not { } spec)
        {
            await ErrorReport.WriteAsync(output.Error, loaded.Errors).ConfigureAwait(false);
            return ExitCode.Usage;
        }

        if (arguments.Has(s_print))
        {
            await output.Out.WriteAsync(SpecWriter.ToYaml(spec)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        await output.Out.WriteLineAsync($"{file}: ok").ConfigureAwait(false);
        foreach (string line in SpecSummary.Lines(spec))
        {
            await output.Out.WriteLineAsync($"  {line}").ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }
}
