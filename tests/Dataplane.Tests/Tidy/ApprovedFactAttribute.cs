namespace Dataplane.Tests.Tidy;

/// <summary>A test against an approved file; skipped with that reason as long as there is none.</summary>
public sealed class ApprovedFactAttribute : FactAttribute
{
    internal const string Variable = "DATAPLANE_APPROVE";

    public ApprovedFactAttribute(string file)
    {
        if (!IsApproving && !File.Exists(Path.Combine(SourceTree.Root, file)))
        {
            Skip = $"There is no {file} yet; {Variable}=1 writes it.";
        }
    }

    internal static bool IsApproving => Environment.GetEnvironmentVariable(Variable) == "1";
}
